"""Unique messages: at most one of a name is undelivered in its queue."""

from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Done, Release, Retry
from actors.broker.keys import QueueKeys

Send = Callable[..., dramatiq.Message[Any]]


def _undelivered(consumer: Consumer) -> list[str]:
    """What a consumer is given, all ended."""
    taken = consumer.take(50, 0)
    for delivery in taken:
        delivery.outcome = Done()
    consumer.settle(taken)
    return [delivery.args[0] for delivery in taken]


def test_unique_is_one_while_undelivered(send: Send, consume: Callable[..., Consumer]) -> None:
    """Of several unique messages one waits; the sender of the others is none the wiser."""
    for name in ("first", "second", "third"):
        send(name, unique="u")
    assert _undelivered(consume()) == ["first"]


def test_names_stand_for_themselves(send: Send, consume: Callable[..., Consumer]) -> None:
    """Other messages, unique under another name or not at all, hold none back."""
    for name, options in (("a", {}), ("b", {"unique": "u"}), ("c", {"unique": "v"}), ("d", {})):
        send(name, **options)
        send(name + "2", **options)
    assert _undelivered(consume()) == ["a", "a2", "b", "c", "d", "d2"]


def test_unique_may_follow_a_delivered_one(send: Send, consume: Callable[..., Consumer]) -> None:
    """Once its like is delivered, ended or not, a unique message waits again."""
    send("1", unique="u")
    consumer = consume()
    (first,) = consumer.take(5, 0)
    send("2", unique="u")
    send("3", unique="u")
    (second,) = consumer.take(5, 0)
    first.outcome = second.outcome = Done()
    consumer.settle([first, second])
    send("4", unique="u")
    assert _undelivered(consumer) == ["4"]


def test_unique_may_follow_one_that_is_retried(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A message that failed and is to be tried again was delivered: its like may wait."""
    send("1", unique="u")
    consumer = consume()
    (first,) = consumer.take(5, 0)
    first.outcome = Retry(60_000, {})
    consumer.settle([first])
    send("2", unique="u")
    assert redis.zcard(keys.delayed) == 1
    assert _undelivered(consumer) == ["2"]


def test_one_that_is_handed_back_stands_again(send: Send, consume: Callable[..., Consumer]) -> None:
    """A unique message that a consumer released unprocessed holds its like back."""
    send("1", unique="u")
    consumer = consume()
    (first,) = consumer.take(5, 0)
    first.outcome = Release()
    consumer.settle([first])
    send("2", unique="u")
    assert _undelivered(consumer) == ["1"]


def test_delayed_ones_do_not_pile_up(redis: Redis, keys: QueueKeys, send: Send) -> None:
    """Of several delayed unique messages one is kept, the earliest."""
    for name, delay in (("1", 50_000), ("2", 60_000), ("3", 40_000), ("4", 45_000)):
        send(name, unique="u", delay=delay)
    (member,) = redis.zrange(keys.delayed, 0, -1)
    assert b'"args":["3"]' in member


def test_at_once_takes_the_place_of_later(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A unique message for now replaces a delayed one; a delayed one behind it is not added."""
    send("later", unique="u", delay=60_000)
    send("now", unique="u")
    send("later", unique="u", delay=60_000)
    assert redis.zcard(keys.delayed) == 0
    assert _undelivered(consume()) == ["now"]


def test_one_that_became_due_still_stands(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A delayed unique message that was promoted, and not yet delivered, holds its like back."""
    send("ahead")
    send("first", unique="u", delay=60_000)
    (member,) = redis.zrange(keys.delayed, 0, -1)
    redis.zadd(keys.delayed, {member: 1})
    consumer = consume()
    assert [one.args[0] for one in consumer.take(1, 0)] == ["ahead"]
    assert redis.zcard(keys.delayed) == 0
    send("second", unique="u")
    assert _undelivered(consumer) == ["first"]


@pytest.mark.parametrize("delay", [None, 60_000], ids=["waiting", "delayed"])
def test_what_was_dropped_does_not_stand(
    broker: StreamsBroker, send: Send, consume: Callable[..., Consumer], delay: int | None
) -> None:
    """After a queue was flushed its unique messages may be sent again."""
    send("1", unique="u", delay=delay)
    broker.flush_all()
    send("2", unique="u")
    assert _undelivered(consume()) == ["2"]
