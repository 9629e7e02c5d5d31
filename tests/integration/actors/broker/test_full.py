"""At maxmemory: producers are told, and everything that leads out of the queue still works."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker import queues
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.broker.consumer import Consumer
from actors.broker.delivery import Dead, Done, Outcome, Reason, Release, Retry
from actors.broker.heartbeat import Heartbeat
from actors.broker.keys import QueueKeys
from actors.broker.ticker import Periodic, Ticker
from actors.broker.worker import Worker
from contracts.errors import QueueFull
from deploy.valkey import EmbeddedValkey
from tests.support.operations import Ran, declare, echo
from tests.support.waiting import SOON, run

Send = Callable[..., dramatiq.Message[Any]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A Valkey of this module's own, which its tests may fill."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("small"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(small: EmbeddedValkey) -> str:
    """Everything in this module is about the small one."""
    return small.url


@pytest.fixture
def fill(redis: Redis) -> Iterator[Callable[[], None]]:
    """Puts the server at its limit, below what it uses already."""
    yield lambda: redis.config_set("maxmemory", "100kb") and None
    redis.config_set("maxmemory", "0")


@pytest.mark.parametrize(
    "options",
    [{}, {"delay": 60_000}, {"unique": "u"}, {"once": "t"}, {"once": "t", "delay": 60_000}],
    ids=["now", "later", "unique", "once", "once later"],
)
def test_producers_are_told(
    redis: Redis, send: Send, fill: Callable[[], None], options: Any, queue_name: str
) -> None:
    """Enqueuing raises QueueFull, and nothing is left of it in Redis, no token either."""
    fill()
    with pytest.raises(QueueFull):
        send("one", **options)
    assert redis.keys(f"*{{{queue_name}}}*") == []


def test_callers_are_told(broker: StreamsBroker, fill: Callable[[], None], queue_name: str) -> None:
    """A client's call and send raise QueueFull at once."""
    declare(broker, queue_name)
    message = echo.message({"text": "one"}, queue=queue_name)

    async def scenario() -> None:
        async with Client(broker) as client:
            fill()
            with pytest.raises(QueueFull):
                await client.call(message, timeout=SOON, deadline=False)
            with pytest.raises(QueueFull):
                await client.send(message)

    run(scenario())


@pytest.mark.parametrize(
    ("outcome", "place"),
    [
        *((Done(), None), (Retry(60_000, {"retries": 1}), "delayed")),
        *((Release(), "waiting"), (Dead(Reason.FAILED, {"attempts": []}), "dead")),
    ],
    ids=["done", "retry", "release", "dead"],
)
def test_settling_works(
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    fill: Callable[[], None],
    queue_name: str,
    outcome: Outcome,
    place: str | None,
) -> None:
    """Every outcome finds its place though the server takes nothing new."""
    send("one")
    consumer = consume()
    (one,) = consumer.take(1, 0)
    fill()
    one.outcome = outcome
    consumer.settle([one])
    depth = broker.depth(queue_name)
    assert {name for name, count in depth.items() if count} - {"waiting"} == {place} - {
        None,
        "waiting",
    }
    assert place != "waiting" or depth["waiting"] == 1


def test_who_waits_is_answered(
    broker: StreamsBroker, work: Callable[..., Worker], fill: Callable[[], None], queue_name: str
) -> None:
    """What was asked before the server was full is answered."""
    ran = declare(broker, queue_name)
    message = echo.message({"text": "one"}, queue=queue_name)

    async def scenario() -> bytes:
        async with Client(broker) as client:
            asked = asyncio.create_task(client.call(message, timeout=SOON, deadline=True))
            async with asyncio.timeout(SOON):
                while not broker.depth(queue_name)["waiting"]:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.01)
            fill()
            work()
            return await asked

    assert run(scenario()) == b'{"text":"one"}'
    assert ran.texts == ["one"]


def test_due_messages_are_promoted(
    redis: Redis,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    fill: Callable[[], None],
) -> None:
    """A delayed message that is due arrives."""
    send("one", delay=60_000)
    consumer = consume()
    consumer.take(1, 0)
    (member,) = redis.zrange(keys.delayed, 0, -1)
    redis.zadd(keys.delayed, {member: 1})
    fill()
    assert [one.args for one in consumer.take(1, 0)] == [("one",)]


def test_hearts_beat(
    redis: Redis, redis_url: str, keys: QueueKeys, fill: Callable[[], None]
) -> None:
    """A full queue's workers don't look dead: heartbeats are renewed, and new ones begin."""
    for name, lifetime in (("old", 5_000), ("old", 60_000)):
        Heartbeat(redis_url, [(keys, name)], lifetime).beat()
        fill()
    assert redis.pttl(keys.alive + "old") > 5_000
    Heartbeat(redis_url, [(keys, "new")], 60_000).beat()
    assert redis.exists(keys.alive + "new") == 1


def test_the_dead_are_inherited(
    broker: StreamsBroker,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
    fill: Callable[[], None],
) -> None:
    """What a dead consumer held is claimed."""
    send("one")
    dead = consume("dead")
    dead.take(1, 0)
    fill()
    die(dead)
    claim()
    assert broker.depth(keys.queue)["suspects"] == 1


@pytest.mark.parametrize("read_before", [True, False])
def test_a_worker_that_starts_now_drains_the_queue(
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    work: Callable[..., Worker],
    fill: Callable[[], None],
    queue_name: str,
    read_before: bool,
) -> None:
    """A worker that connects while the queue is full reads it, or it would stay full for ever."""
    ran: Ran = declare(broker, queue_name)
    if read_before:
        consume().take(1, 0)
    for number in range(5):
        broker.enqueue(echo.message({"text": f"{number}"}, queue=queue_name))
    fill()
    work()
    assert ran.wait(5, SOON)


def test_a_tick_is_refused_whole(
    redis: Redis, broker: StreamsBroker, fill: Callable[[], None], queue_name: str
) -> None:
    """A periodic message that finds no room leaves no trace: its tick is still to come."""
    declare(broker, queue_name)
    row = Periodic("hourly", timedelta(hours=1), echo, {"text": "one"}, queue=queue_name)
    fill()
    with pytest.raises(QueueFull):
        Ticker(broker, [row]).fire()
    assert redis.keys(f"*{{{queue_name}}}*") == []


def test_queues_are_ruled(
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    fill: Callable[[], None],
    queue_name: str,
) -> None:
    """A full queue can be looked at, paused, resumed and limited, and hands out what it may."""
    send("one")
    fill()
    consumer = consume()
    queues.pause(broker, queue_name, by="me")
    queues.limit(broker, queue_name, 2, by="me")
    now = queues.state(broker, queue_name)
    assert (now.waiting, now.limit, now.paused is None) == (1, 2, False)
    assert consumer.take(1, 0) == []
    queues.resume(broker, queue_name, by="me")
    (one,) = consumer.take(1, 0)
    one.outcome = Done()
    consumer.settle([one], and_take=1)
    assert queues.state(broker, queue_name).counts.done == 1
