"""What operators see of a queue, and how they wait for it to be empty."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import QueueNotFound
from redis import Redis

from actors.broker import queues
from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Dead, Done, Reason, Release, Retry
from actors.broker.keys import QueueKeys
from contracts.queues import QueueCounts

Send = Callable[..., dramatiq.Message[Any]]


def test_a_queue_that_never_was(broker: StreamsBroker, redis: Redis, queue_name: str) -> None:
    """A queue without messages and workers has a state, and looking makes nothing."""
    now = queues.state(broker, queue_name)
    assert (now.waiting, now.in_flight, now.delayed, now.suspects, now.dead) == (0, 0, 0, 0, 0)
    assert (now.oldest_seconds, now.next_due_seconds, now.consumers) == (None, None, 0)
    assert (now.limit, now.paused, now.counts) == (None, None, QueueCounts())
    assert (now.rate_in, now.rate_out) == (None, None)
    assert redis.keys(f"*{{{queue_name}}}*") == []


def test_each_message_is_counted_where_it_is(
    broker: StreamsBroker,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """Waiting, in flight, delayed, suspect and dead messages; how deliveries ended."""
    dead = consume("dead")
    send("s1")
    send("s2")
    assert len(dead.take(2, 0)) == 2
    die(dead)
    claim()
    one, two = consume("one"), consume("two")
    assert [delivery.args[0] for delivery in one.take(1, 0)] == ["s1"]
    assert two.take(1, 0) == []  # only the marker that the claim left
    for number in range(8):
        send(f"{number}")
    held = two.take(6, 0)
    outcomes = (Done(), Done(), Retry(60_000, {}), Dead(Reason.FAILED), Release())
    for delivery, outcome in zip(held, outcomes, strict=False):
        delivery.outcome = outcome
    two.settle(held[:5])
    now = queues.state(broker, keys.queue)
    # One is waiting again, two were never taken; in flight: the suspect and the sixth.
    assert (now.waiting, now.in_flight, now.suspects) == (3, 2, 1)
    assert (now.delayed, now.dead, now.consumers) == (1, 1, 2)
    assert now.counts == QueueCounts(done=2, retry=1, dead=1, release=1)
    assert now.next_due_seconds is not None
    assert 50 < now.next_due_seconds <= 60


def test_the_oldest_is_what_waits_longest(
    redis: Redis, broker: StreamsBroker, keys: QueueKeys, consume: Callable[..., Consumer]
) -> None:
    """The age of the first message, delivered or not, whatever markers stand before it."""
    seconds, _ = redis.time()
    redis.xadd(keys.waiting, {"wake": "1"}, id=f"{(seconds - 500) * 1000}-0")
    redis.xadd(keys.waiting, {"body": "{}", "crashes": 0}, id=f"{(seconds - 90) * 1000}-0")
    now = queues.state(broker, keys.queue)
    assert now.oldest_seconds is not None
    assert 90 <= now.oldest_seconds < 200
    assert now.waiting == 1


def test_a_clock_that_was_set_back_makes_no_negative_age(
    redis: Redis, broker: StreamsBroker, keys: QueueKeys
) -> None:
    """A message from Redis's future is 0 seconds old."""
    seconds, _ = redis.time()
    redis.xadd(keys.waiting, {"body": "{}", "crashes": 0}, id=f"{(seconds + 500) * 1000}-0")
    assert queues.state(broker, keys.queue).oldest_seconds == 0


def test_what_was_dropped_from_under_a_worker_does_not_count_twice(
    broker: StreamsBroker, send: Send, consume: Callable[..., Consumer], queue_name: str
) -> None:
    """After a flush a message in hand is in flight, and nothing waits."""
    send("one")
    consume().take(1, 0)
    broker.flush_all()
    now = queues.state(broker, queue_name)
    assert (now.waiting, now.in_flight) == (0, 1)


def test_poison_is_counted_as_dead(
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
    queue_name: str,
) -> None:
    """A message that dies as poison leaves the queue as dead, in the counts too."""
    send("one")
    for number in range(4):
        consumer = consume(f"{number}")
        assert len(consumer.take(1, 0)) == 1
        die(consumer)
        claim()
    now = queues.state(broker, queue_name)
    assert (now.dead, now.counts.dead, now.unfinished) == (1, 1, 0)


def test_a_settle_that_is_repeated_counts_once(
    broker: StreamsBroker, send: Send, consume: Callable[..., Consumer], queue_name: str
) -> None:
    """Settled twice, the second time lost: one is done."""
    send("one")
    consumer = consume()
    (one,) = consumer.take(1, 0)
    one.outcome = Done()
    consumer.settle([one])
    consumer.settle([one])
    assert queues.state(broker, queue_name).counts == QueueCounts(done=1)


def test_rates_are_from_two_samples(broker: StreamsBroker, queue_name: str) -> None:
    """Out: done and dead. In: out, and what the queue has grown by; retries are neither."""
    first = queues.state(broker, queue_name)
    second = first.model_copy(
        update={
            "at": first.at + timedelta(seconds=2),
            "waiting": 6,
            "in_flight": 1,
            "delayed": 1,
            "dead": 2,
            "counts": QueueCounts(done=8, dead=2, retry=5, release=3),
        }
    )
    now = queues.with_rates(first, second)
    assert (now.rate_out, now.rate_in) == (5.0, 9.0)
    assert queues.with_rates(second, first).rate_out is None


def test_only_an_empty_queue_is_drained(
    broker: StreamsBroker, send: Send, consume: Callable[..., Consumer], queue_name: str
) -> None:
    """Drained is a queue without messages that wait or are in hand; delayed ones if asked."""
    send("one")
    assert not queues.drained(broker, queue_name)
    consumer = consume()
    (one,) = consumer.take(1, 0)
    assert not queues.drained(broker, queue_name)
    send("later", delay=60_000)
    one.outcome = Done()
    consumer.settle([one])
    assert queues.drained(broker, queue_name)
    assert not queues.drained(broker, queue_name, delayed=True)


def test_a_pause_may_depend_on_an_empty_queue(
    broker: StreamsBroker, send: Send, consume: Callable[..., Consumer], queue_name: str
) -> None:
    """A queue is paused at the moment that it is empty, not before; a wake marker is nothing."""
    send("later", delay=60_000)
    send("one")
    assert not queues.pause(broker, queue_name, by="me", condition="drained")
    consumer = consume()
    (one,) = consumer.take(1, 0)
    assert not queues.pause(broker, queue_name, by="me", condition="drained")
    one.outcome = Done()
    consumer.settle([one])
    send("sooner", delay=50_000)  # it leaves a marker
    assert not queues.pause(broker, queue_name, by="me", condition="empty")
    assert queues.state(broker, queue_name).paused is None
    assert queues.pause(broker, queue_name, by="me", condition="drained")
    assert queues.state(broker, queue_name).paused is not None


def test_queues_that_do_not_exist(broker: StreamsBroker) -> None:
    """A name that was never declared is an error."""
    with pytest.raises(QueueNotFound):
        queues.state(broker, "no-such")
    assert queues.states(broker, []) == []
