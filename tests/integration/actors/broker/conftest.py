"""One queue, the real classes that move its messages, and a plain client to look at it."""

from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.heartbeat import Heartbeat, Janitor
from actors.broker.keys import QueueKeys
from actors.broker.link import Link
from actors.broker.worker import Reading, Worker
from actors.middleware import policies

LIFETIME = 60_000  # ms: no heartbeat ends by itself


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A plain client of the shared Valkey."""
    with Redis.from_url(redis_url, socket_timeout=None) as client:
        yield client


@pytest.fixture
def broker(redis_url: str, queue_name: str) -> StreamsBroker:
    """A broker with our policies that knows one queue."""
    broker = StreamsBroker(redis_url, policies())
    broker.declare_queue(queue_name)
    return broker


@pytest.fixture
def keys(broker: StreamsBroker, queue_name: str) -> QueueKeys:
    """The keys of that queue."""
    return broker.keys(queue_name)


@pytest.fixture
def send(broker: StreamsBroker, queue_name: str) -> Callable[..., dramatiq.Message[Any]]:
    """Enqueues a message `(name)` with options, after `delay` ms."""

    def send(name: str, *, delay: int | None = None, **options: Any) -> dramatiq.Message[Any]:
        message = dramatiq.Message(
            queue_name=queue_name, actor_name="work", args=(name,), kwargs={}, options=options
        )
        return broker.enqueue(message, delay=delay)

    return send


@pytest.fixture
def consume(redis_url: str, keys: QueueKeys) -> Iterator[Callable[..., Consumer]]:
    """Makes a consumer whose heart has beaten once."""
    made: list[Consumer] = []

    def consume(name: str = "one", *, url: str = redis_url) -> Consumer:
        Heartbeat(redis_url, [(keys, name)], LIFETIME).beat()
        made.append(Consumer(Link(url), keys, name))
        return made[-1]

    yield consume
    for consumer in made:
        consumer.link.close()


@pytest.fixture
def die(redis: Redis, keys: QueueKeys) -> Callable[[Consumer], None]:
    """Ends a consumer's heartbeat, as the death of its process would in time."""
    return lambda consumer: redis.delete(keys.alive + consumer.name) and None


@pytest.fixture
def claim(redis_url: str, keys: QueueKeys) -> Callable[[], None]:
    """Takes over from dead consumers, once."""
    return Janitor(redis_url, [keys], LIFETIME).claim


@pytest.fixture
def work(broker: StreamsBroker) -> Iterator[Callable[..., Worker]]:
    """Starts a worker on the broker's queues."""
    made: list[Worker] = []

    def work(
        threads: int = 1,
        prefetch: int = 1,
        *,
        on: StreamsBroker = broker,
        heartbeat: int = LIFETIME,
    ) -> Worker:
        readings = [Reading(queue, threads, prefetch) for queue in on.queues]
        made.append(Worker(on, readings, heartbeat=heartbeat))
        made[-1].start()
        return made[-1]

    yield work
    stopped = [worker.stop(10) for worker in made]
    assert all(stopped)
