"""A limited queue: never more messages in hand at once than its limit, over all workers."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker import queues
from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Done
from actors.broker.worker import Worker
from tests.support.blocked import until_blocked
from tests.support.processes import HEARTBEAT, Journal, worker_processes
from tests.support.waiting import LONG, SOON, silent, take

Send = Callable[..., dramatiq.Message[Any]]
Work = Callable[..., Worker]


@pytest.fixture(autouse=True)
def long_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle reader sits in its read until something wakes it."""
    monkeypatch.setattr("actors.broker.worker.BLOCK", LONG)


class Gauge:
    """An actor that takes a moment and measures how many of it run at once."""

    def __init__(self) -> None:
        self.most = 0
        self.ended: queue.Queue[str] = queue.Queue()
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.005)  # the work
        with self._lock:
            self._now -= 1
        self.ended.put(name)


@pytest.fixture
def gauge(broker: StreamsBroker, queue_name: str) -> Gauge:
    """The actor `work` of the test's queue."""
    gauge = Gauge()
    dramatiq.actor(
        lambda name: gauge(name), broker=broker, queue_name=queue_name, actor_name="work"
    )
    return gauge


def _calls(redis: Redis) -> int:
    """How many commands the server has run since its figures were reset."""
    return sum(int(command["calls"]) for command in redis.info("commandstats").values())


@pytest.mark.parametrize("prefetch", [1, 16])
@pytest.mark.parametrize("early", [True, False], ids=["limited before", "readers blocked"])
def test_two_workers_share_a_limit(
    redis: Redis,
    broker: StreamsBroker,
    send: Send,
    work: Work,
    gauge: Gauge,
    queue_name: str,
    prefetch: int,
    early: bool,
) -> None:
    """Eight readers in two workers, limit 2: never more than two at once, all run, none spins."""
    if early:
        queues.limit(broker, queue_name, 2, by="me")
    for worker in [work(threads=4, prefetch=prefetch) for _ in range(2)]:
        for reader in worker._threads:
            until_blocked(redis, lambda reader=reader: reader.consumer.link.client_id)  # type: ignore[misc]
    if not early:
        queues.limit(broker, queue_name, 2, by="me")
    redis.config_resetstat()
    for number in range(50):
        send(f"{number}")
    assert sorted(take(gauge.ended, 50)) == sorted(f"{number}" for number in range(50))
    calls = _calls(redis)
    assert gauge.most <= 2
    assert calls < 50 * 100


def test_slots_are_used(
    broker: StreamsBroker, send: Send, work: Work, gauge: Gauge, queue_name: str
) -> None:
    """With work for all, as many run at once as the limit allows; a higher one is used at once."""
    queues.limit(broker, queue_name, 2, by="me")
    for number in range(40):
        send(f"{number}")
    work(threads=4)
    take(gauge.ended, 20)
    assert gauge.most == 2
    queues.limit(broker, queue_name, 4, by="me")
    take(gauge.ended, 20)
    assert gauge.most in (3, 4)


def test_a_settle_comes_before_the_take_behind_it(
    redis: Redis,
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    queue_name: str,
) -> None:
    """On a server that knows no script yet, the slot that a settle frees is there to be taken."""
    queues.limit(broker, queue_name, 1, by="me")
    send("one")
    send("two")
    redis.script_flush()
    consumer = consume()
    (one,) = consumer.take(1, 0)
    one.outcome = Done()
    assert [delivery.args[0] for delivery in consumer.settle([one], and_take=1)] == ["two"]


@pytest.mark.parametrize("and_take", [0, 8], ids=["settles", "settles and takes"])
def test_a_free_slot_wakes_whoever_waits(
    redis: Redis,
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    queue_name: str,
    and_take: int,
) -> None:
    """A reader that found the queue full is woken as soon as another one leaves a slot free."""
    queues.limit(broker, queue_name, 2, by="me")
    for name in ("one", "two", "three"):
        send(name)
    one, two = consume("one"), consume("two")
    held = one.take(8, 0)
    two.link.connect()
    reading = threading.Thread(target=two.take, args=(8, LONG), daemon=True)
    reading.start()
    until_blocked(redis, lambda: two.link.client_id)
    for delivery in held:
        delivery.outcome = Done()
    taken = one.settle(held, and_take=and_take)
    reading.join(SOON)
    assert not reading.is_alive()
    send("four")
    found = [delivery.args[0] for delivery in [*taken, *two.take(8, 0)]]
    assert found == ["three", "four"]


def test_a_limit_ends(
    redis: Redis, broker: StreamsBroker, send: Send, work: Work, queue_name: str
) -> None:
    """Taking the limit back wakes those who waited behind it, while others still run."""
    began: queue.Queue[str] = queue.Queue()
    go = threading.Event()

    def run(name: str) -> None:
        began.put(name)
        assert go.wait(SOON)

    dramatiq.actor(run, broker=broker, queue_name=queue_name, actor_name="work")
    queues.limit(broker, queue_name, 1, by="me")
    for number in range(3):
        send(f"{number}")
    work(threads=3)
    take(began, 1)
    assert silent(began)
    queues.limit(broker, queue_name, None, by="me")
    take(began, 2)
    go.set()


@pytest.mark.parametrize("most", [0, -1, 100_001])
def test_odd_limits_are_refused(broker: StreamsBroker, queue_name: str, most: int) -> None:
    """A limit is at least 1: a queue that is to rest is paused."""
    with pytest.raises(ValueError, match="limit"):
        queues.limit(broker, queue_name, most, by="me")


def test_the_dead_give_their_slots_back(
    redis_url: str,
    redis: Redis,
    broker: StreamsBroker,
    send: Send,
    work: Work,
    gauge: Gauge,
    queue_name: str,
) -> None:
    """A worker that is killed while it holds the only slot: the others go on after its claim."""
    queues.limit(broker, queue_name, 1, by="me")
    journal = Journal(redis, queue_name)
    send("slow")
    with worker_processes(redis_url, queue_name, 1, prefetch=1) as (process,):
        journal.until(lambda lines: ("slow", process.pid) in lines)
        worker = work(threads=2, heartbeat=HEARTBEAT)
        send("next")
        for reader in worker._threads:
            until_blocked(redis, lambda reader=reader: reader.consumer.link.client_id)  # type: ignore[misc]
        assert silent(gauge.ended, 0)
        process.kill()
        process.wait()
    assert sorted(take(gauge.ended, 2)) == ["next", "slow"]
    assert gauge.most == 1
