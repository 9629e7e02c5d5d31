"""Huey on Redis, with worker threads."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from huey import RedisHuey  # type: ignore[import-untyped]  # Huey ships no types
from huey.api import TaskWrapper  # type: ignore[import-untyped]  # the same

from benchmarks.load import ANSWER_WITHIN, Threads, ran
from benchmarks.peers import URL, patient

NAME = "huey, threads"
WORKER_ENV: Mapping[str, str] = {}


def noop() -> None:
    """Do nothing."""
    ran()


def declare(url: str) -> TaskWrapper:
    """A Huey on the server at `url`, as its only task."""
    # notify_result lets the client wait with a blocking read; else it polls from 50 ms up.
    # store_none gives a task that returns nothing a result to wait for.
    huey = RedisHuey("benchmark", url=patient(url), store_none=True, notify_result=True)
    return huey.task()(noop)


if URL in os.environ:  # in the worker process: its command line takes a Huey by name
    worker = declare(os.environ[URL]).huey


def worker_argv(url: str) -> list[str]:
    """Huey's own command line."""
    # Eight threads are the quickest under load, and idle as quick as one.
    options = ["--worker-type", "thread", "--workers", "8", "--no-periodic", "--quiet"]
    return [sys.executable, "-m", "huey.bin.huey_consumer", *options, f"{__name__}.worker"]


@contextmanager
def client(url: str) -> Iterator[Threads]:
    """Waits for each result with a blocking read."""
    task = declare(url)

    def send() -> Callable[[], None]:
        result = task()
        return lambda: result.get(blocking=True, timeout=ANSWER_WITHIN)

    yield Threads(send, count=1)
