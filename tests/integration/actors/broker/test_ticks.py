"""Periodic messages: each tick once, whoever fires it, whatever the clocks do."""

import queue
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import QueueNotFound
from dramatiq.middleware import Middleware
from redis import Redis

from actors.broker import ticker
from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Done
from actors.broker.keys import QueueKeys
from actors.broker.ticker import Periodic, Ticker
from actors.broker.worker import Reading, Worker
from actors.middleware import policies
from deploy.valkey import EmbeddedValkey
from tests.support.proxy import Proxy
from tests.support.waiting import SOON, take

HOUR = 3600_000  # ms


class Asking:
    """Makes messages for the actor `work` of one queue."""

    def __init__(self, queue_name: str) -> None:
        self.queue_name = queue_name

    def message(self, request: Any, /, **options: Any) -> dramatiq.Message[Any]:
        return dramatiq.Message(
            queue_name=self.queue_name,
            actor_name="work",
            args=(request,),
            kwargs={},
            options=options,
        )


class _Ids(Middleware):
    """Tells the id of each message that ended."""

    def __init__(self, seen: "queue.Queue[str]") -> None:
        self._seen = seen

    def after_ack(self, broker: dramatiq.Broker, message: Any) -> None:
        self._seen.put(message.message_id)


@pytest.fixture
def hourly(queue_name: str) -> Periodic:
    """A row that is not due again within a test."""
    return Periodic("hourly", timedelta(hours=1), Asking(queue_name), "now")


@pytest.fixture
def tickers(broker: StreamsBroker) -> Iterator[Callable[..., Ticker]]:
    """Makes tickers, which are ended after the test."""
    made: list[Ticker] = []

    def make(*rows: Periodic, on: StreamsBroker = broker) -> Ticker:
        made.append(Ticker(on, rows))
        return made[-1]

    yield make
    for one in made:
        if one.is_alive():
            one.stop()


def _delivered(consumer: Consumer) -> list[str]:
    """The ids of what a consumer is given, all ended."""
    taken = consumer.take(50, 0)
    for delivery in taken:
        delivery.outcome = Done()
    consumer.settle(taken)
    return [delivery.message_id for delivery in taken]


def _now(redis: Redis) -> int:
    seconds, micros = redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


@pytest.mark.parametrize(
    ("every", "offset", "now", "tick"),
    [(60, 0, 119_999, 60_000), (60, 0, 120_000, 120_000), (60, 15, 70_000, 15_000)],
)
def test_ticks_are_aligned(every: int, offset: int, now: int, tick: int) -> None:
    """A tick is a whole number of intervals since 1970, plus the offset; the newest is due."""
    row = Periodic("n", timedelta(seconds=every), Asking("q"), None, timedelta(seconds=offset))
    assert row.tick(now) == tick


def test_the_first_tick_fires_at_once(
    redis: Redis, tickers: Callable[..., Ticker], hourly: Periodic, consume: Callable[..., Consumer]
) -> None:
    """A row that was never fired is fired at start, with its tick in its id; then it rests."""
    one = tickers(hourly)
    assert one.fire() <= ticker.READ_CLOCK
    one.fire()
    now = _now(redis)
    assert _delivered(consume()) == [f"cron:hourly:{now - now % HOUR}"]


def test_each_tick_is_fired_once(
    broker: StreamsBroker,
    queue_name: str,
    tickers: Callable[..., Ticker],
    work: Callable[..., Worker],
) -> None:
    """Three tickers on one queue: no tick runs twice, and all are on the grid."""
    seen: queue.Queue[str] = queue.Queue()
    broker.add_middleware(_Ids(seen))
    dramatiq.actor(lambda _: None, broker=broker, queue_name=queue_name, actor_name="work")
    row = Periodic("often", timedelta(milliseconds=40), Asking(queue_name), "now")
    for _ in range(3):
        tickers(row).start()
    work(threads=2)
    ids = take(seen, 25)
    assert len(set(ids)) == 25
    assert all(int(one.rpartition(":")[2]) % 40 == 0 for one in ids)


def test_missed_ticks_are_one_message(
    redis: Redis,
    keys: QueueKeys,
    tickers: Callable[..., Ticker],
    hourly: Periodic,
    consume: Callable[..., Consumer],
) -> None:
    """After a long absence the newest due tick is fired, and only that."""
    now = _now(redis)
    tick = now - now % HOUR
    redis.hset(keys.ticks, "hourly", tick - 5 * HOUR)
    tickers(hourly).fire()
    tickers(hourly).fire()
    assert _delivered(consume()) == [f"cron:hourly:{tick}"]


def test_a_tick_is_not_added_behind_its_like(
    redis: Redis,
    keys: QueueKeys,
    tickers: Callable[..., Ticker],
    hourly: Periodic,
    consume: Callable[..., Consumer],
) -> None:
    """While a row's last message waits undelivered, its next tick passes."""
    tickers(hourly).fire()
    redis.hset(keys.ticks, "hourly", 0)  # as if an hour had passed
    tickers(hourly).fire()
    consumer = consume()
    assert len(_delivered(consumer)) == 1
    redis.hset(keys.ticks, "hourly", 0)
    tickers(hourly).fire()
    assert len(_delivered(consumer)) == 1


def test_a_clock_that_is_set_back_silences_nothing(
    redis: Redis,
    keys: QueueKeys,
    tickers: Callable[..., Ticker],
    hourly: Periodic,
    consume: Callable[..., Consumer],
) -> None:
    """A last tick in Redis's future was fired by a wrong clock: the present one is taken, once."""
    now = _now(redis)
    tick = now - now % HOUR
    redis.hset(keys.ticks, "hourly", tick + HOUR)
    tickers(hourly).fire()
    tickers(hourly).fire()
    assert _delivered(consume()) == [f"cron:hourly:{tick}"]
    assert int(redis.hget(keys.ticks, "hourly") or 0) == tick


def test_a_ticker_that_is_ahead_waits(
    tickers: Callable[..., Ticker], queue_name: str, consume: Callable[..., Consumer]
) -> None:
    """A tick that is not due by Redis's clock is not fired, and the ticker learns the time."""
    one = tickers(Periodic("hourly", timedelta(hours=1), Asking(queue_name), "now"))
    one.fire()
    consumer = consume()
    _delivered(consumer)
    right = one._link.clock.now_ms()
    one._link.clock.set((int(right / 1000) + 3600, 0))
    one.fire()
    assert abs(one._link.clock.now_ms() - right) < HOUR / 2
    assert _delivered(consumer) == []


def test_the_wall_clock_plays_no_part(
    tickers: Callable[..., Ticker], hourly: Periodic, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    """Whatever this machine's wall clock shows, the ticker has Redis's time."""
    monkeypatch.setattr("time.time", lambda: 1.0)
    one = tickers(hourly)
    one.fire()
    assert abs(one._link.clock.now_ms() - _now(redis)) < HOUR / 2


def test_ticks_outlast_the_server(tmp_path: Path, queue_name: str) -> None:
    """SIGKILL of Valkey and a restart: the schedule goes on, and each tick still runs once."""
    server = EmbeddedValkey(tmp_path)
    server.start()
    seen: queue.Queue[str] = queue.Queue()
    broker = StreamsBroker(server.url, [_Ids(seen), *policies()])
    dramatiq.actor(lambda _: None, broker=broker, queue_name=queue_name, actor_name="work")
    row = Periodic("often", timedelta(milliseconds=50), Asking(queue_name), "now")
    worker = Worker(broker, [Reading(queue_name)], schedule=[row])
    try:
        worker.start()
        before = take(seen, 3)
        assert server.process is not None
        server.process.kill()
        server.stop()
        server.start()
        after = take(seen, 5, timeout=2 * SOON)
        assert worker.stop(10)
    finally:
        server.stop()
    assert len(set(after)) == 5
    assert len(set(before)) == 3


def test_ticks_wait_for_redis(
    proxy: Proxy, tickers: Callable[..., Ticker], hourly: Periodic, consume: Callable[..., Consumer]
) -> None:
    """A tick whose answer was lost is asked for again, and is still one message."""
    broker = StreamsBroker(proxy.url)
    broker.declare_queue(hourly.operation.message(None).queue_name)
    trap = proxy.lose_answer(b"cron:hourly")
    one = tickers(hourly, on=broker)
    one.start()
    assert trap.sprung.wait(SOON)
    one.stop()
    one.fire()
    assert len(_delivered(consume())) == 1


def test_what_is_asked_may_be_of_its_moment(
    monkeypatch: pytest.MonkeyPatch,
    queue_name: str,
    broker: StreamsBroker,
    tickers: Callable[..., Ticker],
    consume: Callable[..., Consumer],
) -> None:
    """A function makes the request of each tick; where it fails, the tick is tried again."""
    monkeypatch.setattr(ticker, "AGAIN", 0.0)
    broker.declare_queue(queue_name)
    made: queue.Queue[str] = queue.Queue()
    asked = iter(["at the start", OSError("the disk is gone"), "now"])

    def request() -> str:
        made.put("asked")
        found = next(asked)
        if isinstance(found, OSError):
            raise found
        return found

    one = tickers(Periodic("n", timedelta(hours=1), Asking(queue_name), request))
    one.start()
    take(made, 3)
    one.stop()
    assert len(_delivered(consume())) == 1


def test_a_row_needs_a_queue(broker: StreamsBroker) -> None:
    """A schedule for a queue that was never declared is an error at once."""
    with pytest.raises(QueueNotFound):
        Ticker(broker, [Periodic("n", timedelta(hours=1), Asking("no-such"), None)])
