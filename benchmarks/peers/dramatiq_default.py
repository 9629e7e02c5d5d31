"""Dramatiq with its own Redis broker and result backend, all settings as they come."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.load import ANSWER_WITHIN, Threads, ran
from benchmarks.peers import URL, patient

NAME = "dramatiq, default"
WORKER_ENV: Mapping[str, str] = {}


def noop() -> None:
    """Do nothing."""
    ran()


def declare(url: str) -> dramatiq.Actor[[], None]:
    """Make a broker on the server at `url` the global one; returns its only actor."""
    # The ignores: Dramatiq is typed, but for these constructors.
    backend = RedisBackend(url=patient(url))
    broker = RedisBroker(url=patient(url))  # type: ignore[no-untyped-call]
    broker.add_middleware(Results(backend=backend))  # type: ignore[no-untyped-call]
    dramatiq.set_broker(broker)
    return dramatiq.actor(store_results=True)(noop)


def worker() -> None:
    """Called by Dramatiq's command line in the worker process."""
    declare(os.environ[URL])


def worker_argv(url: str) -> list[str]:
    """Dramatiq's own command line; a process has eight threads by default."""
    return [sys.executable, "-m", "dramatiq", "--processes", "1", f"{__name__}:worker"]


@contextmanager
def client(url: str) -> Iterator[Threads]:
    """Waits for each result with a blocking read."""
    actor = declare(url)

    def send() -> Callable[[], None]:
        message = actor.send()
        return lambda: message.get_result(block=True, timeout=ANSWER_WITHIN * 1000)

    yield Threads(send, count=4)
