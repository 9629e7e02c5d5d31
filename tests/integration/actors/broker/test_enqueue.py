"""enqueue.lua and the broker that calls it."""

from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import QueueNotFound
from dramatiq.middleware import Callbacks, Pipelines
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Done
from actors.broker.encoding import MESSAGE_MAX
from actors.broker.keys import QueueKeys
from contracts.errors import MessageTooLarge, QueueUnavailable

Send = Callable[..., dramatiq.Message[Any]]


def test_delayed_messages_are_on_redis_clock(redis: Redis, keys: QueueKeys, send: Send) -> None:
    """A delayed message is due `delay` ms from Redis's now, and a first one leaves a marker."""
    seconds, micros = redis.time()
    send("later", delay=60_000)
    ((_, due),) = redis.zrange(keys.delayed, 0, -1, withscores=True)
    assert 0 <= due - (seconds * 1000 + micros // 1000) - 60_000 < 5_000
    assert redis.xlen(keys.waiting) == 1


def test_only_a_new_earliest_message_wakes(redis: Redis, keys: QueueKeys, send: Send) -> None:
    """Only a delayed message that is due before all others adds a marker."""
    for delay, markers in ((60_000, 1), (70_000, 1), (50_000, 2)):
        send("later", delay=delay)
        assert redis.xlen(keys.waiting) == markers


def test_messages_have_a_largest_size(broker: StreamsBroker, send: Send, queue_name: str) -> None:
    """A body over 1 MiB of UTF-8 is refused before it is sent."""
    with pytest.raises(MessageTooLarge):
        send("é" * (MESSAGE_MAX // 2))
    assert broker.depth(queue_name)["waiting"] == 0


def test_flush_drops_all_but_dead_letters(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
) -> None:
    """Flushing drops what waits, also from under a consumer, who settles it without harm."""
    redis.xadd(keys.dead, {"body": "kept"})
    send("held")
    consumer = consume()
    (held,) = consumer.take(1, 0)
    send("waiting")
    send("later", delay=60_000)
    broker.flush_all()
    held.outcome = Done()
    consumer.settle([held])
    assert consumer.take(5, 0) == []
    assert broker.depth(keys.queue) == {"waiting": 0, "suspects": 0, "delayed": 0, "dead": 1}


def test_undeclared_queues_are_refused(broker: StreamsBroker) -> None:
    """A message for a queue that was never declared is an error at once."""
    with pytest.raises(QueueNotFound):
        broker.enqueue(
            dramatiq.Message(queue_name="no-such", actor_name="a", args=(), kwargs={}, options={})
        )


@pytest.mark.parametrize("middleware", [Callbacks, Pipelines])
def test_middleware_that_enqueues_is_refused(middleware: type[Any]) -> None:
    """What enqueues beside the settle step can't be added to the broker."""
    with pytest.raises(ValueError, match="enqueues outside the settle step"):
        StreamsBroker("redis://localhost", [middleware()])


def test_a_server_that_is_away_is_typed() -> None:
    """Enqueuing without a server raises QueueUnavailable at once."""
    broker = StreamsBroker("unix:///nowhere/valkey.sock")
    broker.declare_queue("q")
    with pytest.raises(QueueUnavailable):
        broker.enqueue(
            dramatiq.Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={})
        )
