"""next.lua and the reads of a consumer: due ones promoted, suspects alone, nothing stranded."""

import threading
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker import scripts
from actors.broker.consumer import Consumer
from actors.broker.delivery import Delivery, Done, Release
from actors.broker.keys import QueueKeys
from contracts.errors import QueueUnavailable
from tests.support.blocked import until_blocked
from tests.support.letters import letters
from tests.support.proxy import Proxy
from tests.support.waiting import LONG, SOON

Send = Callable[..., dramatiq.Message[Any]]


def _names(deliveries: list[Delivery]) -> list[str]:
    return [delivery.args[0] for delivery in deliveries]


def _suspects(keys: QueueKeys, redis: Redis, bodies: list[bytes]) -> None:
    for body in bodies:
        redis.xadd(keys.suspects, {"body": body, "crashes": 1})


def _message(name: str) -> bytes:
    return dramatiq.Message(
        queue_name="q", actor_name="work", args=(name,), kwargs={}, options={}
    ).encode()


def test_due_messages_are_promoted_in_order(
    redis: Redis, keys: QueueKeys, consume: Callable[..., Consumer]
) -> None:
    """All due messages arrive, earliest first, whatever order they were added in."""
    for due in (3, 1, 2):
        redis.zadd(keys.delayed, {b"0 " + _message(f"due {due}"): due})
    redis.zadd(keys.delayed, {b"0 " + _message("far"): 9e15})
    assert _names(consume().take(9, 0)) == ["due 1", "due 2", "due 3"]
    assert redis.zcard(keys.delayed) == 1


def test_many_due_messages_are_promoted_in_batches(
    redis: Redis, keys: QueueKeys, consume: Callable[..., Consumer]
) -> None:
    """More due messages than one step moves are all delivered, without a wait between."""
    redis.zadd(keys.delayed, {b"0 " + _message(f"{n}"): n for n in range(1, 601)})
    consumer, found = consume(), []
    while taken := consumer.take(200, 20):
        found += _names(taken)
        for delivery in taken:
            delivery.outcome = Done()
        consumer.settle(taken)
    assert found == [f"{n}" for n in range(1, 601)]


def test_suspects_are_tried_one_at_a_time(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """One suspect is out at a time, alone in its consumer's hands; others get waiting ones."""
    send("innocent")
    _suspects(keys, redis, [_message("first"), _message("second")])
    one, two = consume("one"), consume("two")
    (first,) = one.take(8, 0)
    assert (first.args, first.origin, first.crashes) == (("first",), "suspects", 1)
    assert _names(two.take(8, 0)) == ["innocent"]
    assert two.take(8, 0) == []
    first.outcome = Done()
    assert _names(one.settle([first], and_take=8)) == ["second"]


def test_a_released_suspect_stays_one(
    redis: Redis, keys: QueueKeys, consume: Callable[..., Consumer]
) -> None:
    """A suspect that is handed back keeps its count and is tried alone again."""
    _suspects(keys, redis, [_message("first")])
    one, two = consume("one"), consume("two")
    (first,) = one.take(1, 0)
    first.outcome = Release()
    one.settle([first])
    (again,) = two.take(1, 0)
    assert (again.origin, again.crashes) == ("suspects", 1)


def test_a_released_suspect_wakes_a_reader(
    redis: Redis, keys: QueueKeys, consume: Callable[..., Consumer]
) -> None:
    """An idle reader takes a suspect over as soon as it is handed back."""
    _suspects(keys, redis, [_message("first")])
    one, two = consume("one"), consume("two")
    (first,) = one.take(1, 0)
    reading, taken = _reading(two, redis)
    first.outcome = Release()
    one.settle([first])
    reading.join(SOON)
    assert _names(taken + two.take(1, 0)) == ["first"]


def test_what_a_lost_answer_held_is_found_again(
    proxy: Proxy, send: Send, consume: Callable[..., Consumer]
) -> None:
    """Messages handed out over a connection that was cut come to the same consumer."""
    consumer = consume(url=proxy.url)
    assert consumer.take(1, 0) == []
    for name in ("one", "two"):
        send(name)
    trap = proxy.lose_answer(scripts.script("next").sha)
    with pytest.raises(QueueUnavailable):
        consumer.take(2, 0)
    assert trap.sprung.wait(SOON)
    assert _names(consumer.take(1, 0)) == ["one", "two"]


def test_a_new_earliest_message_wakes_a_reader(
    redis: Redis, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A reader that blocks for long returns when a message is delayed for less."""
    consumer = consume()
    reading, _ = _reading(consumer, redis)
    send("soon", delay=50)
    reading.join(SOON)
    assert not reading.is_alive()
    assert _names(consumer.take(1, 5_000)) + _names(consumer.take(1, 5_000)) == ["soon"]


def test_markers_leave_no_trace(
    redis: Redis, keys: QueueKeys, consume: Callable[..., Consumer]
) -> None:
    """A wake marker is taken for no message and is gone once it was read."""
    redis.xadd(keys.waiting, {"wake": "1"})
    assert consume().take(5, 0) == []
    assert redis.xlen(keys.waiting) == 0


def test_undecodable_bytes_die_in_the_read(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """Bytes that are no message are dead with what was wrong; the read returns the others."""
    redis.xadd(keys.waiting, {"body": b"\xff\x00", "crashes": 0})
    send("fine")
    assert _names(consume().take(5, 0)) == ["fine"]
    (letter,) = letters(redis, keys, 1)
    assert (letter.body, letter.reason) == (b"\xff\x00", "undecodable")
    assert letter.report["error"]


def _reading(consumer: Consumer, redis: Redis) -> tuple[threading.Thread, list[Delivery]]:
    """A thread inside a long blocking read of `consumer`; seen there by the server."""
    taken: list[Delivery] = []
    consumer.link.connect()
    reading = threading.Thread(target=lambda: taken.extend(consumer.take(1, LONG)), daemon=True)
    reading.start()
    until_blocked(redis, lambda: consumer.link.client_id)
    return reading, taken
