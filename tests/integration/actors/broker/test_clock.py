"""All times are Redis's: nobody's wall clock counts, and a wrong idea of the time is corrected."""

import time
from collections.abc import Callable

import pytest
from redis import Redis

from actors.broker import client as client_module
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.broker.clock import Clock, steady
from actors.broker.consumer import Consumer
from actors.broker.worker import Worker
from tests.support.operations import declare, echo
from tests.support.waiting import SOON, run

HOUR = 3600  # seconds


def _is_right(clock: Clock, redis: Redis) -> bool:
    seconds, _ = redis.time()
    return abs(clock.now_ms() / 1000 - seconds) < HOUR / 2


def _put_ahead(clock: Clock) -> None:
    clock.set((int(clock.now_ms() / 1000) + HOUR, 0))


def test_a_clock_goes_on_by_itself() -> None:
    """What was read a while ago is shown with the time since then; it knows how old it is."""
    clock = Clock()
    assert clock.age == float("inf")
    began = steady()
    clock.set((b"1000", b"500000"))
    assert 1_000_500 <= clock.now_ms() <= 1_000_500 + (steady() - began) * 1000
    assert 0 <= clock.age <= steady() - began


def test_every_take_reads_the_clock(
    redis: Redis, send: Callable[..., object], consume: Callable[..., Consumer]
) -> None:
    """Redis's clock may be set while a reader is connected: the next take tells."""
    consumer = consume()
    consumer.take(1, 0)
    assert _is_right(consumer.link.clock, redis)
    _put_ahead(consumer.link.clock)
    consumer.take(1, 0)
    assert _is_right(consumer.link.clock, redis)


def test_a_client_reads_the_clock_now_and_then(
    redis: Redis,
    broker: StreamsBroker,
    work: Callable[..., Worker],
    queue_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client whose idea of the time is wrong has the right one after a request."""
    declare(broker, queue_name)
    work()
    monkeypatch.setattr(client_module, "READ_CLOCK", 0)

    async def scenario() -> None:
        async with Client(broker) as client:
            _put_ahead(client._clock)
            message = echo.message({"text": "one"}, queue=queue_name)
            await client.call(message, timeout=SOON, deadline=True)
            await client._ask((b"PING",))  # behind the TIME, if that took longer than the reply
            assert _is_right(client._clock, redis)

    run(scenario())


def test_wall_clocks_play_no_part(
    broker: StreamsBroker,
    work: Callable[..., Worker],
    queue_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A read is answered before its deadline though this machine's clock is set in between."""
    ran = declare(broker, queue_name)
    work()

    async def scenario() -> None:
        async with Client(broker) as client:
            for shift in (2 * HOUR, -2 * HOUR):
                now = time.time()
                monkeypatch.setattr("time.time", lambda now=now, shift=shift: now + shift)
                message = echo.message({"text": f"{shift}"}, queue=queue_name)
                await client.call(message, timeout=SOON, deadline=True)

    run(scenario())
    assert ran.texts == [f"{2 * HOUR}", f"{-2 * HOUR}"]
