"""Events on their way: gathered, bounded, and none lost that the bound does not drop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dramatiq
import orjson
import pytest

from actors import analytics
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.queues import producer_broker
from contracts.analytics import BATCH_MAX, EventKind
from pipelines.events import tell
from shim.allowance import SAVED, Allowance
from shim.gatherer import Gatherer
from tests.support.events import event
from tests.support.proxy import Proxy
from tests.support.waiting import QUIET, run

QUEUE = analytics.record.queue


@pytest.fixture
def broker(own_redis_url: str) -> StreamsBroker:
    """A producer's broker on empty queues."""
    return producer_broker(own_redis_url, "test")


@asynccontextmanager
async def gathering(broker: StreamsBroker, **limits: int) -> AsyncIterator[Gatherer]:
    """A gatherer that sends."""
    async with Client(broker, patient=True) as client, Gatherer(client, **limits) as gatherer:
        yield gatherer


def add(gatherer: Gatherer, count: int, start: int = 0) -> None:
    """Add events, numbered."""
    for number in range(start, start + count):
        gatherer.add(event(number, EventKind.EXPORTED))


def json(number: int) -> bytes:
    """An event as it travels."""
    return event(number, EventKind.EXPORTED).model_dump_json(exclude_none=True).encode()


def sent(broker: StreamsBroker) -> list[list[dict[str, Any]]]:
    """The events of each message that waits."""
    found = broker.link.ask_one((b"XRANGE", broker.keys(QUEUE).waiting, b"-", b"+"))
    bodies = (dict(zip(one[1][::2], one[1][1::2], strict=True)).get(b"body") for one in found)
    return [dramatiq.Message.decode(body).args[0]["events"] for body in bodies if body]


def number(one: dict[str, Any]) -> int:
    """Which of the numbered events it is."""
    return int(one["id"][-4:], 16)


def test_events_go_in_one_message(broker: StreamsBroker) -> None:
    """What comes within a moment waits for the others, in order."""

    async def scenario() -> None:
        async with gathering(broker) as gatherer:
            add(gatherer, 5)
            gatherer.later(lambda: json(5))
            await gatherer.all_sent()

    run(scenario())
    assert [[number(one) for one in batch] for batch in sent(broker)] == [[0, 1, 2, 3, 4, 5]]


def test_many_events_go_in_batches(broker: StreamsBroker) -> None:
    """None is larger than a message may be, by number and by size."""

    async def scenario() -> None:
        async with gathering(broker) as gatherer:
            add(gatherer, 1_200)
            await gatherer.all_sent()
            for one in range(300):
                gatherer.add(event(one, EventKind.RATED, worked=True, comment="é" * 1_000))
            await gatherer.all_sent()

    run(scenario())
    batches = sent(broker)
    assert sum(map(len, batches)) == 1_500
    assert max(map(len, batches)) <= BATCH_MAX
    assert len(batches) >= 5


def test_what_is_left_at_the_end_is_sent(broker: StreamsBroker) -> None:
    """A shim that is stopped loses nothing while Redis is there."""

    async def scenario() -> None:
        async with gathering(broker) as gatherer:
            add(gatherer, 3)

    run(scenario())
    assert sum(map(len, sent(broker))) == 3


def test_while_the_queue_is_long_the_newest_are_held(broker: StreamsBroker) -> None:
    """PostgreSQL is away, say: nothing is lost up to the bound, then the oldest goes, counted."""

    async def scenario() -> None:
        async with gathering(broker, most=10, waiting=2) as gatherer:
            for start in (0, 1):
                add(gatherer, 1, start)
                await gatherer.all_sent()
            add(gatherer, 25, 2)
            assert (gatherer.held, gatherer.dropped) == (10, 15)
            await asyncio.sleep(QUIET)  # what is forbidden would have happened
            assert gatherer.held == 10
            broker.flush(QUEUE)
            await gatherer.all_sent()

    run(scenario())
    (batch,) = sent(broker)
    assert [number(one) for one in batch[:-1]] == list(range(17, 27))
    assert (batch[-1]["kind"], batch[-1]["total"]) == ("dropped", 15)


def test_while_redis_is_away_events_are_held(own_redis_url: str, broker: StreamsBroker) -> None:
    """They are sent when it is back, each at least once and in order."""
    with Proxy(own_redis_url) as proxy:
        far = producer_broker(proxy.url + "/" + own_redis_url.rpartition("db=")[2], "test")

        async def scenario() -> None:
            async with gathering(far) as gatherer:
                add(gatherer, 1)
                await gatherer.all_sent()
                proxy.down()
                add(gatherer, 700, 1)
                await asyncio.sleep(QUIET)  # it tries meanwhile
                assert gatherer.held
                proxy.up()
                await gatherer.all_sent()
                assert gatherer.dropped == 0

        run(scenario())
    found = [number(one) for batch in sent(broker) for one in batch]
    assert sorted(set(found)) == list(range(701))


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_batch_whose_connection_is_cut_is_sent_again(
    own_redis_url: str, broker: StreamsBroker, lost: str
) -> None:
    """Where only the answer was lost it arrives twice: its ids make it one."""
    with Proxy(own_redis_url) as proxy:
        far = producer_broker(proxy.url + "/" + own_redis_url.rpartition("db=")[2], "test")

        async def scenario() -> None:
            async with gathering(far) as gatherer:
                trap = getattr(proxy, f"lose_{lost}")(b"XADD")
                add(gatherer, 3)
                await gatherer.all_sent()
                assert trap.sprung.is_set()

        run(scenario())
    found = [[number(one) for one in batch] for batch in sent(broker)]
    assert found == [[0, 1, 2]] * (1 if lost == "request" else 2)


def test_adding_waits_for_nothing(broker: StreamsBroker) -> None:
    """An event that can't be made is counted; the request has been answered before."""

    async def scenario() -> None:
        async with gathering(broker) as gatherer:
            made = []
            gatherer.later(lambda: made.append(1) or json(1))  # type: ignore[func-returns-value]
            assert made == []
            gatherer.later(lambda: orjson.dumps(object()))
            await gatherer.all_sent()
            await asyncio.sleep(0)
            assert made == [1]
            assert gatherer.dropped == 1

    run(scenario())


def test_a_single_event_costs_neither_an_error_nor_a_wait(
    own_redis_url: str, broker: StreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent where that goes at once; while Redis is away, or the queue long, it is not."""
    with Proxy(own_redis_url) as proxy:
        far = producer_broker(proxy.url + "/" + own_redis_url.rpartition("db=")[2], "test")

        async def scenario() -> None:
            async with Client(far, patient=True) as client:
                await tell(client, json(1))
                with monkeypatch.context() as long:
                    long.setattr("pipelines.events.TELL_WAITING", 1)
                    await tell(client, json(2))
                proxy.down()
                await tell(client, json(3))

        run(scenario())
    assert [[number(one) for one in batch] for batch in sent(broker)] == [[1]]


def test_a_flood_from_one_caller_is_refused_and_others_are_not() -> None:
    """So many a second, and what ten silent seconds have saved."""
    now = [time.monotonic()]
    allowance = Allowance(10, clock=lambda: now[0])
    assert allowance.take("ann", 10 * SAVED)
    assert not allowance.take("ann", 1)
    assert allowance.take("bob", 50)
    now[0] += 2
    assert not allowance.take("ann", 21)
    assert allowance.take("ann", 20)
