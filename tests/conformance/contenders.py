"""The brokers that the suite is run with, behind one small face."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.encoder import JSONEncoder
from dramatiq.middleware import Middleware, ShutdownNotifications, TimeLimit
from dramatiq.middleware import Retries as StockRetries
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.encoding import ContractEncoder
from actors.broker.worker import Reading, Worker
from actors.middleware import policies
from actors.middleware.retries import Retries
from tests.support.recorder import Recorder

STOP_WITHIN = 10.0  # seconds

#: Retries as the tests want them by default: a fresh start for each broker.
DEFAULTS = {"max_retries": 1, "min_backoff": 10, "max_backoff": 20}


class Contender(ABC):
    """A broker, and how to run it and look into it. Every actor declares its queue."""

    #: Whether messages travel over a connection that can be lost.
    connected = True
    encoder: type[dramatiq.Encoder] = JSONEncoder
    broker: dramatiq.Broker

    def __init__(self) -> None:
        self.recorder = Recorder()
        self._stops: list[Callable[[], None]] = []
        dramatiq.set_encoder(self.encoder())

    def actor(
        self, function: Callable[..., Any], queue: str, name: str = "work", **options: Any
    ) -> dramatiq.Actor[..., Any]:
        """Declare `function` as an actor."""
        return dramatiq.actor(
            function, broker=self.broker, queue_name=queue, actor_name=name, **options
        )

    @abstractmethod
    def start(self, threads: int = 1, prefetch: int = 2) -> Callable[[], None]:
        """Start a worker on every declared queue; call what is returned to stop it."""

    def close(self) -> None:
        """Stop every worker and let go of the server."""
        for stop in self._stops:
            stop()

    @abstractmethod
    def dead(self, queue: str) -> list[bytes]:
        """The bodies of the queue's dead letters."""

    @abstractmethod
    def put(self, queue: str, body: bytes) -> None:
        """Put raw bytes where a message would wait."""

    def _once(self, stop: Callable[[], None]) -> Callable[[], None]:
        done = threading.Event()

        def stop_once() -> None:
            if not done.is_set():
                done.set()
                stop()

        self._stops.append(stop_once)
        return stop_once


class Streams(Contender):
    """Ours."""

    encoder = ContractEncoder

    def __init__(self, url: str, direct: str, extra: Sequence[Middleware] = ()) -> None:
        super().__init__()
        middleware = [Retries(**DEFAULTS) if isinstance(m, Retries) else m for m in policies()]
        self.broker: StreamsBroker = StreamsBroker(url, [self.recorder, *extra, *middleware])
        self._redis = Redis.from_url(direct)

    def start(self, threads: int = 1, prefetch: int = 2) -> Callable[[], None]:
        readings = [Reading(queue, threads, prefetch) for queue in self.broker.queues]
        worker = Worker(self.broker, readings)
        worker.start()

        def stop() -> None:
            assert worker.stop(STOP_WITHIN)

        return self._once(stop)

    def close(self) -> None:
        super().close()
        self._redis.close()

    def dead(self, queue: str) -> list[bytes]:
        entries: Any = self._redis.xrange(self.broker.keys(queue).dead)
        return [fields[b"body"] for _, fields in entries]

    def put(self, queue: str, body: bytes) -> None:
        self._redis.xadd(self.broker.keys(queue).waiting, {"body": body, "crashes": 0})


class _Stock(Contender):
    """A broker of dramatiq's own, run by its Worker as `dramatiq` on the command line does."""

    def __init__(self) -> None:
        super().__init__()
        self._booted = False

    def _middleware(self, extra: Sequence[Middleware]) -> list[Middleware]:
        stock = [TimeLimit(), ShutdownNotifications(), StockRetries(**DEFAULTS)]
        return [self.recorder, *extra, *stock]

    def start(self, threads: int = 1, prefetch: int = 2) -> Callable[[], None]:
        if not self._booted:
            self.broker.emit_after("process_boot")
            self._booted = True
        worker = dramatiq.Worker(self.broker, worker_threads=threads, worker_timeout=50)
        worker.start()
        return self._once(lambda: worker.stop(int(STOP_WITHIN * 1000)))


class StockRedis(_Stock):
    """dramatiq.brokers.redis, in a namespace of its own."""

    def __init__(self, url: str, direct: str, extra: Sequence[Middleware] = ()) -> None:
        super().__init__()
        self._redis = Redis.from_url(direct)
        self.broker: RedisBroker = RedisBroker(
            url=url, namespace=f"stock-{uuid4().hex[:12]}", middleware=self._middleware(extra)
        )

    def close(self) -> None:
        super().close()
        self.broker.client.connection_pool.disconnect()
        self._redis.close()

    def dead(self, queue: str) -> list[bytes]:
        kept: Any = self._redis.hvals(f"{self.broker.namespace}:{queue}.XQ.msgs")
        return list(kept)

    def put(self, queue: str, body: bytes) -> None:
        key, place = f"{self.broker.namespace}:{queue}", uuid4().hex
        self._redis.hset(f"{key}.msgs", place, body)
        self._redis.rpush(key, place)


class Stub(_Stock):
    """dramatiq.brokers.stub: queues in memory."""

    connected = False

    def __init__(self, url: str, direct: str, extra: Sequence[Middleware] = ()) -> None:
        super().__init__()
        self.broker: StubBroker = StubBroker(middleware=self._middleware(extra))

    def dead(self, queue: str) -> list[bytes]:
        return [message.encode() for message in self.broker.dead_letters_by_queue[queue]]

    def put(self, queue: str, body: bytes) -> None:
        self.broker.queues[queue].put(body)


CONTENDERS: dict[str, Callable[..., Contender]] = {
    "streams": Streams,
    "redis": StockRedis,
    "stub": Stub,
}
