"""What dies, hangs or is cut off loses no message, and doubles none that it need not."""

import asyncio
import contextlib
import logging
import queue
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker import scripts
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.broker.worker import Reading, Worker
from actors.middleware import policies
from contracts.errors import QueueUnavailable
from deploy.valkey import EmbeddedValkey
from tests.support.blocked import until_blocked
from tests.support.durable import on_disk_at_once
from tests.support.letters import letters
from tests.support.operations import declare, echo
from tests.support.processes import HEARTBEAT, Journal, worker_processes
from tests.support.proxy import Proxy
from tests.support.recorder import Recorder
from tests.support.waiting import SOON, run, silent, take

EMPTY = {"waiting": 0, "suspects": 0, "delayed": 0, "dead": 0}
SETTLE = scripts.script("settle").sha

Work = Callable[..., Worker]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Connections that come and go are what these tests are about."""
    caplog.set_level(logging.ERROR)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A plain client of the shared Valkey."""
    with Redis.from_url(redis_url, socket_timeout=None) as client:
        yield client


@pytest.fixture
def journal(redis: Redis, queue_name: str) -> Journal:
    """What worker processes on the test's queue write."""
    return Journal(redis, queue_name)


@pytest.fixture
def producer(redis_url: str, queue_name: str) -> StreamsBroker:
    """A broker that only enqueues, over a connection that nobody cuts."""
    broker = StreamsBroker(redis_url)
    broker.declare_queue(queue_name)
    return broker


@pytest.fixture
def send(producer: StreamsBroker, queue_name: str) -> Callable[[str], None]:
    """Enqueues a message `(name)` for the actor `work`."""
    return lambda name: producer.enqueue(_message(queue_name, name)) and None


@pytest.fixture
def work(queue_name: str) -> Iterator[Work]:
    """Starts a worker in this process with `function` as the actor `work`."""
    made: list[Worker] = []

    def work(
        url: str, function: Callable[[str], None], *extra: Any, threads: int = 1, prefetch: int = 1
    ) -> Worker:
        broker = StreamsBroker(url, [*extra, *policies()])
        dramatiq.actor(
            function, broker=broker, queue_name=queue_name, actor_name="work", max_retries=3
        )
        reading = Reading(queue_name, threads, prefetch)
        made.append(Worker(broker, [reading], heartbeat=HEARTBEAT))
        made[-1].start()
        return made[-1]

    yield work
    stopped = [worker.stop(10) for worker in made]
    assert all(stopped)


def _message(queue_name: str, name: str) -> dramatiq.Message[Any]:
    return dramatiq.Message(
        queue_name=queue_name, actor_name="work", args=(name,), kwargs={}, options={}
    )


def _settled(producer: StreamsBroker, queue_name: str, recorder: Recorder) -> dict[str, int]:
    """The queue's depth once nothing of it is in a worker's hands any more."""
    while sum((depth := producer.depth(queue_name)).values()) and not depth["dead"]:
        recorder.wait("after_ack", SOON)
    return depth


def test_a_killed_workers_messages_run_elsewhere(
    redis_url: str,
    redis: Redis,
    producer: StreamsBroker,
    send: Callable[[str], None],
    journal: Journal,
    queue_name: str,
    work: Work,
) -> None:
    """SIGKILL under a message with prefetched neighbours: all run elsewhere, none is poison."""
    names = ["slow", *(f"neighbour-{number}" for number in range(7))]
    for name in names:
        send(name)
    with worker_processes(redis_url, queue_name, 1, prefetch=8) as (process,):
        journal.until(lambda lines: ("slow", process.pid) in lines)
        process.kill()
        process.wait()
    seen: queue.Queue[str] = queue.Queue()
    recorder = Recorder()
    work(redis_url, seen.put, recorder, threads=2, prefetch=4)
    assert sorted(take(seen, len(names))) == sorted(names)
    assert _settled(producer, queue_name, recorder) == EMPTY
    assert silent(seen, 0)


def test_only_the_killer_is_poison(
    redis_url: str,
    redis: Redis,
    producer: StreamsBroker,
    send: Callable[[str], None],
    journal: Journal,
    queue_name: str,
) -> None:
    """A message that kills every worker is dead as poison; 64 innocents around it all run."""
    innocents = [f"innocent-{number}" for number in range(64)]
    for name in (*innocents[:5], "killer", *innocents[5:]):
        send(name)
    with worker_processes(redis_url, queue_name, 5, prefetch=16):
        lines = journal.until(lambda lines: {word for word, _ in lines} >= {*innocents, "killer"})
        (letter,) = letters(redis, producer.keys(queue_name), 1)
    assert (letter.args, letter.reason) == (["killer"], "poison")
    assert (letter.report["crashes"], letter.report["deliveries"]) == (3, 4)
    assert redis.get(f"runs:{queue_name}:killer") == b"4"
    runs = Counter(word for word, _ in lines)
    assert max(runs[name] for name in innocents) <= 2


def test_a_full_prefetch_survives_its_killer(
    redis_url: str,
    redis: Redis,
    producer: StreamsBroker,
    send: Callable[[str], None],
    journal: Journal,
    queue_name: str,
) -> None:
    """Of 257 messages in one worker's hands one kills it: it alone counts crashes, and is poison
    after three; all others are done."""
    innocents = {f"innocent-{number}" for number in range(256)}
    for name in (*sorted(innocents)[:100], "killer", *sorted(innocents)[100:]):
        send(name)
    with worker_processes(redis_url, queue_name, 5, prefetch=256) as processes:
        lines = journal.until(
            lambda lines: (
                [word for word, _ in lines].count("killer") == 4
                and {word for word, _ in lines} >= innocents
            )
        )
        (letter,) = letters(redis, producer.keys(queue_name), 1)
        recorded = Counter(word for word, _ in lines if word.startswith("crashed:"))
        while sum((depth := producer.depth(queue_name)).values()) > depth["dead"]:
            journal.line()
        killed = [process.pid for process in processes if process.poll() is not None]
    assert (letter.args, letter.reason) == (["killer"], "poison")
    assert (letter.report["crashes"], letter.report["deliveries"]) == (3, 4)
    assert [int(worker.split("-")[-5]) for worker in letter.report["workers"]] == sorted(
        killed, key=[pid for word, pid in lines if word == "killer"].index
    )
    assert recorded == {"crashed:killer": 2}
    assert depth == EMPTY | {"dead": 1}


def test_an_answer_lost_to_a_read_is_delivered_again(
    proxy: Proxy,
    redis: Redis,
    producer: StreamsBroker,
    send: Callable[[str], None],
    queue_name: str,
    work: Work,
) -> None:
    """Cut between Redis's answer and the reader's ears: the same consumer runs the message."""
    seen: queue.Queue[str] = queue.Queue()
    recorder = Recorder()
    trap = proxy.lose_answer(b"BLOCK")
    work(proxy.url, lambda name: seen.put(f"{name} {threading.current_thread().name}"), recorder)
    reader = recorder.wait("after_worker_thread_boot", SOON)
    until_blocked(redis, lambda: reader.consumer.link.client_id)
    send("one")
    assert trap.sprung.wait(SOON)
    assert take(seen, 1) == [f"one {reader.name}"]
    assert _settled(producer, queue_name, recorder) == EMPTY
    assert silent(seen, 0)


@pytest.mark.parametrize("failing", [True, False], ids=["retry", "done"])
def test_an_answer_lost_to_a_settle_changes_nothing(
    proxy: Proxy,
    producer: StreamsBroker,
    send: Callable[[str], None],
    queue_name: str,
    work: Work,
    failing: bool,
) -> None:
    """Cut right after a settle was sent: it has happened once, and the message isn't run again."""
    seen: queue.Queue[str] = queue.Queue()
    recorder = Recorder()

    def run(name: str) -> None:
        seen.put(name)
        if failing:
            raise dramatiq.errors.Retry("later", delay=60_000)

    trap = proxy.lose_answer(SETTLE)
    work(proxy.url, run, recorder)
    send("one")
    assert trap.sprung.wait(SOON)
    recorder.wait("after_ack", SOON)
    depth = producer.depth(queue_name)
    assert depth | {"waiting": 0} == EMPTY | {"delayed": int(failing)}
    assert take(seen, 1) == ["one"]
    assert silent(seen)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_cuts_double_and_lose_nothing(
    proxy: Proxy,
    producer: StreamsBroker,
    send: Callable[[str], None],
    queue_name: str,
    work: Work,
    seed: int,
) -> None:
    """Connections that are cut at random cost time only: every message is run exactly once."""
    chance = random.Random(seed)
    seen: queue.Queue[str] = queue.Queue()
    recorder = Recorder()

    def run(name: str) -> None:
        seen.put(name)
        time.sleep(0.001)

    work(proxy.url, run, recorder, threads=3, prefetch=4)
    sent = [f"{number}" for number in range(150)]
    cuts = set(chance.sample(range(150), 5))
    for number, name in enumerate(sent):
        send(name)
        if number in cuts:
            getattr(proxy, chance.choice(["lose_answer", "lose_request"]))(SETTLE)
        if number + 1 in cuts:
            proxy.cut()
    counts = Counter(take(seen, len(sent)))
    assert counts == Counter(sent)
    assert _settled(producer, queue_name, recorder) == EMPTY
    assert silent(seen)


def test_a_late_settle_of_a_stopped_worker_is_refused(
    redis_url: str,
    redis: Redis,
    producer: StreamsBroker,
    send: Callable[[str], None],
    journal: Journal,
    queue_name: str,
    work: Work,
) -> None:
    """SIGSTOP past its heartbeat, then SIGCONT: what ran elsewhere meanwhile stays settled."""
    send("slow")
    with worker_processes(redis_url, queue_name, 1, prefetch=1) as (process,):
        journal.until(lambda lines: ("slow", process.pid) in lines)
        process.send_signal(signal.SIGSTOP)
        seen: queue.Queue[str] = queue.Queue()
        recorder = Recorder()
        work(redis_url, seen.put, recorder)
        assert take(seen, 1) == ["slow"]
        recorder.wait("after_ack", SOON)
        redis.rpush(f"gate:{queue_name}", "go")
        process.send_signal(signal.SIGCONT)
        journal.until(lambda lines: ("settled", process.pid) in lines)
    assert producer.depth(queue_name) | {"waiting": 0} == EMPTY
    assert silent(seen, 0)


def test_nothing_acknowledged_is_lost_with_the_server(tmp_path: Path, queue_name: str) -> None:
    """SIGKILL of Valkey under load and a restart on its folder: all that was accepted runs."""
    server = EmbeddedValkey(tmp_path)
    server.start()
    on_disk_at_once(server.url)
    broker = StreamsBroker(server.url, policies())
    ran = declare(broker, queue_name)
    worker = Worker(broker, [Reading(queue_name, 2, 4)], heartbeat=HEARTBEAT)
    worker.start()
    accepted: list[str] = []

    def produce() -> None:
        for number in range(400):
            text = f"{number}"
            try:
                broker.enqueue(echo.message({"text": text}, queue=queue_name))
            except QueueUnavailable:
                time.sleep(0.01)  # as a caller that asks again later
            else:
                accepted.append(text)

    try:
        producing = threading.Thread(target=produce)
        producing.start()
        assert ran.wait(random.Random(7).randrange(20, 80), SOON)
        assert server.process is not None
        server.process.kill()
        server.stop()
        server.start()
        producing.join(SOON)
        with ran.changed:
            assert ran.changed.wait_for(lambda: set(ran.texts) >= set(accepted), 2 * SOON)
        assert worker.stop(10)
    finally:
        server.stop()
    assert len(accepted) >= 20


def test_no_live_work_is_claimed_after_an_outage(
    tmp_path: Path, redis_url: str, journal: Journal, redis: Redis, queue_name: str
) -> None:
    """Valkey is away for longer than a heartbeat lasts: what ran all the while is run once.

    A worker that died meanwhile is found out: its message runs elsewhere, and shows that claims
    had begun again while the other still ran.
    """
    server = EmbeddedValkey(tmp_path)
    server.start()
    broker = StreamsBroker(server.url)
    broker.declare_queue(queue_name)

    def workers() -> contextlib.AbstractContextManager[list[subprocess.Popen[bytes]]]:
        return worker_processes(server.url, queue_name, 1, prefetch=1, journal=redis_url)

    try:
        with contextlib.ExitStack() as stack:
            pids = []
            for name in ("slow", "slow-too"):
                (process,) = stack.enter_context(workers())
                broker.enqueue(_message(queue_name, name))
                journal.until(lambda lines: (name, process.pid) in lines)  # noqa: B023  # called here
                pids.append(process.pid)
            broker.link.close()
            (third,) = stack.enter_context(workers())
            journal.until(lambda lines: ("ready", third.pid) in lines)
            assert server.process is not None
            server.process.kill()
            server.stop()
            process.kill()
            process.wait()
            # How long the outage lasts is what this is about: nothing is waited for.
            time.sleep(2 * HEARTBEAT / 1000)
            server.start()
            journal.until(lambda lines: ("slow-too", third.pid) in lines)
            redis.rpush(f"gate:{queue_name}", "go")
            with Redis.from_url(server.url, socket_timeout=None) as own:
                (letter,) = letters(own, broker.keys(queue_name), 1)
        assert redis.get(f"runs:{queue_name}:slow") == b"1"
        assert (letter.args, letter.reason) == (["slow"], "failed")
        assert (letter.report["deliveries"], len(letter.report["attempts"])) == (1, 1)
        assert broker.depth(queue_name) | {"waiting": 0} == EMPTY | {"dead": 1}
    finally:
        broker.link.close()
        server.stop()


def test_a_client_recovers_with_the_server(tmp_path: Path, queue_name: str) -> None:
    """A client that was waiting when Valkey was killed fails at once and works after."""
    server = EmbeddedValkey(tmp_path)
    server.start()
    broker = StreamsBroker(server.url, policies())
    declare(broker, queue_name)
    message = echo.message({"text": "hello"}, queue=queue_name)

    async def scenario() -> bytes:
        async with Client(broker) as client:
            waiting = asyncio.create_task(client.call(message, timeout=SOON, deadline=True))
            with Redis.from_url(server.url, socket_timeout=None) as redis:
                stream = {broker.keys(queue_name).waiting: 0}
                await asyncio.to_thread(redis.xread, stream, block=int(SOON * 1000))
            assert server.process is not None
            server.process.kill()
            with pytest.raises(QueueUnavailable):
                await asyncio.wait_for(waiting, SOON / 2)
            server.stop()
            server.start()
            async with asyncio.timeout(SOON):
                while not client.connected:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.01)
            worker = Worker(broker, [Reading(queue_name)], heartbeat=HEARTBEAT)
            worker.start()
            try:
                return await client.call(message, timeout=SOON, deadline=True)
            finally:
                assert await asyncio.to_thread(worker.stop, 10)

    try:
        assert run(scenario()) == b'{"text":"hello"}'
    finally:
        server.stop()
