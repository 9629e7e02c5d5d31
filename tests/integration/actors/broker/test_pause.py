"""A paused queue: no message begins, none is lost, and all go on when it is resumed."""

import queue
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker import queues, scripts
from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.keys import QueueKeys
from actors.broker.worker import Reading, Worker
from actors.middleware import policies
from contracts.errors import QueueUnavailable
from deploy.valkey import EmbeddedValkey
from tests.support.blocked import until_blocked
from tests.support.durable import on_disk_at_once
from tests.support.operations import declare, echo
from tests.support.proxy import Proxy
from tests.support.waiting import LONG, SOON, silent, take

Send = Callable[..., dramatiq.Message[Any]]
Work = Callable[..., Worker]


@pytest.fixture(autouse=True)
def long_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle reader sits in its read until something wakes it."""
    monkeypatch.setattr("actors.broker.worker.BLOCK", LONG)


@pytest.fixture
def seen(broker: StreamsBroker, queue_name: str) -> "queue.Queue[str]":
    """The names of the messages that ran."""
    seen: queue.Queue[str] = queue.Queue()
    dramatiq.actor(seen.put, broker=broker, queue_name=queue_name, actor_name="work")
    return seen


def _blocked(worker: Worker, redis: Redis) -> None:
    """Return once every reader of `worker` sits in a blocking read."""
    for reader in worker._threads:
        until_blocked(redis, lambda reader=reader: reader.consumer.link.client_id)  # type: ignore[misc]


def _reading(consumer: Consumer, redis: Redis) -> tuple[threading.Thread, list[Any]]:
    """A thread inside a blocking read of `consumer`, and what it will have taken."""
    taken: list[Any] = []
    consumer.link.connect()
    reading = threading.Thread(target=lambda: taken.extend(consumer.take(1, LONG)), daemon=True)
    reading.start()
    until_blocked(redis, lambda: consumer.link.client_id)
    return reading, taken


@pytest.mark.parametrize("prefetch", [1, 16])
def test_blocked_readers_begin_nothing(
    redis: Redis,
    broker: StreamsBroker,
    send: Send,
    work: Work,
    seen: "queue.Queue[str]",
    queue_name: str,
    prefetch: int,
) -> None:
    """Readers that block when the queue is paused run nothing that comes; then all, each once."""
    worker = work(threads=6, prefetch=prefetch)
    _blocked(worker, redis)
    queues.pause(broker, queue_name, by="me")
    names = [f"{number}" for number in range(100)]
    for name in names:
        send(name)
    assert silent(seen)
    _blocked(worker, redis)
    assert (now := queues.state(broker, queue_name)).waiting == 100
    assert now.in_flight == 0
    queues.resume(broker, queue_name, by="me")
    assert Counter(take(seen, 100)) == Counter(names)
    assert silent(seen, 0)


def test_rules_that_change_under_load_lose_nothing(
    broker: StreamsBroker, send: Send, work: Work, seen: "queue.Queue[str]", queue_name: str
) -> None:
    """Paused, resumed and limited at random while messages flow: each runs exactly once."""
    chance = random.Random(5)
    work(threads=3, prefetch=4)
    work(threads=2)
    names = [f"{number}" for number in range(300)]
    for name in names:
        send(name)
        match chance.randrange(12):
            case 0:
                queues.pause(broker, queue_name, by="me")
            case 1 | 2:
                queues.resume(broker, queue_name, by="me")
            case 3:
                queues.limit(broker, queue_name, chance.choice([1, 2, 3, None]), by="me")
    queues.limit(broker, queue_name, 2, by="me")
    queues.resume(broker, queue_name, by="me")
    assert Counter(take(seen, 300)) == Counter(names)
    assert silent(seen)
    now = queues.state(broker, queue_name)
    assert (now.counts.done, now.counts.retry, now.counts.dead) == (300, 0, 0)
    assert (now.unfinished, now.delayed) == (0, 0)


def test_what_was_taken_together_goes_back(
    redis: Redis,
    broker: StreamsBroker,
    send: Send,
    work: Work,
    queue_name: str,
) -> None:
    """Messages that a reader holds and has not begun when the queue is paused are handed back."""
    began: queue.Queue[str] = queue.Queue()
    go = threading.Semaphore(0)

    def run(name: str) -> None:
        began.put(name)
        assert go.acquire(timeout=SOON)

    dramatiq.actor(run, broker=broker, queue_name=queue_name, actor_name="work")
    for number in range(8):
        send(f"{number}")
    worker = work(prefetch=8)
    assert take(began, 1) == ["0"]
    queues.pause(broker, queue_name, by="me")
    # Longer than messages are gathered for one settle, as an actor worth pausing takes.
    threading.Event().wait(0.01)
    go.release()
    assert silent(began)
    _blocked(worker, redis)
    assert queues.state(broker, queue_name).waiting == 7
    queues.resume(broker, queue_name, by="me")
    for _ in range(7):
        go.release()
    assert sorted(take(began, 7)) == ["1", "2", "3", "4", "5", "6", "7"]


def test_what_is_held_back_is_not_counted(
    redis: Redis,
    broker: StreamsBroker,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
) -> None:
    """A message read just after the pause is handed back in the same read, as it was."""
    consumer = consume()
    reading, taken = _reading(consumer, redis)
    queues.pause(broker, keys.queue, by="me")
    sent = send("one")
    reading.join(SOON)
    assert taken == []
    now = queues.state(broker, keys.queue)
    assert (now.waiting, now.in_flight, now.counts.release) == (1, 0, 1)
    queues.resume(broker, keys.queue, by="me")
    (one,) = consumer.take(1, 0)
    assert (one.message_id, one.crashes, one.options) == (sent.message_id, 0, {})


def test_a_lost_answer_begins_nothing(
    proxy: Proxy,
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    queue_name: str,
) -> None:
    """What was handed out over a connection that was cut goes back while the queue is paused."""
    consumer = consume(url=proxy.url)
    consumer.take(1, 0)
    send("one")
    trap = proxy.lose_answer(scripts.script("next").sha)
    with pytest.raises(QueueUnavailable):
        consumer.take(1, 0)
    assert trap.sprung.wait(SOON)
    assert queues.state(broker, queue_name).in_flight == 1
    queues.pause(broker, queue_name, by="me")
    assert consumer.take(1, 0) == []
    assert queues.state(broker, queue_name).waiting == 1
    queues.resume(broker, queue_name, by="me")
    assert len(consumer.take(1, 0)) == 1


def test_due_messages_wait_for_the_end_of_a_pause(
    redis: Redis,
    broker: StreamsBroker,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
) -> None:
    """A delayed message that becomes due in a pause stays where it is, and comes after it."""
    consumer = consume()
    consumer.take(1, 0)
    send("one", delay=60_000)
    (member,) = redis.zrange(keys.delayed, 0, -1)
    redis.zadd(keys.delayed, {member: 1})
    queues.pause(broker, keys.queue, by="me")
    assert consumer.take(1, 0) == []
    assert queues.state(broker, keys.queue).delayed == 1
    queues.resume(broker, keys.queue, by="me")
    assert len(consumer.take(1, 0)) == 1


def test_suspects_wait_for_the_end_of_a_pause(
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
    queue_name: str,
) -> None:
    """A pause holds suspects back as well; the janitor goes on meanwhile."""
    send("one")
    dead = consume("dead")
    dead.take(1, 0)
    queues.pause(broker, queue_name, by="me")
    die(dead)
    claim()
    consumer = consume()
    assert consumer.take(1, 0) == []
    assert queues.state(broker, queue_name).suspects == 1
    queues.resume(broker, queue_name, by="me")
    assert [one.origin for one in consumer.take(1, 0)] == ["suspects"]


def test_who_paused_is_kept(broker: StreamsBroker, queue_name: str) -> None:
    """A pause says by whom, when on Redis's clock, and why; a resumed queue says nothing."""
    queues.pause(broker, queue_name, by="ann", reason="Mainframe in maintenance – until 6")
    now = queues.state(broker, queue_name)
    assert now.paused is not None
    assert (now.paused.by, now.paused.reason) == ("ann", "Mainframe in maintenance – until 6")
    assert abs((now.paused.at - now.at).total_seconds()) < 5
    queues.resume(broker, queue_name, by="bob")
    assert queues.state(broker, queue_name).paused is None


def test_a_pause_outlasts_the_server(tmp_path: Path, queue_name: str) -> None:
    """SIGKILL of Valkey and a restart: the queue is still paused, and nothing of it has run."""
    server = EmbeddedValkey(tmp_path)
    server.start()
    on_disk_at_once(server.url)
    broker = StreamsBroker(server.url, policies())
    ran = declare(broker, queue_name)
    worker = Worker(broker, [Reading(queue_name, 2, 4)])
    try:
        queues.pause(broker, queue_name, by="me")
        worker.start()
        for number in range(10):
            broker.enqueue(echo.message({"text": f"{number}"}, queue=queue_name))
        assert server.process is not None
        server.process.kill()
        server.stop()
        server.start()
        with Redis.from_url(server.url) as redis:
            _blocked(worker, redis)
        assert ran.texts == []
        broker.link.close()
        assert queues.state(broker, queue_name).waiting == 10
        queues.resume(broker, queue_name, by="me")
        assert ran.wait(10, SOON)
        assert worker.stop(10)
    finally:
        server.stop()
    assert sorted(ran.texts) == [f"{number}" for number in range(10)]
