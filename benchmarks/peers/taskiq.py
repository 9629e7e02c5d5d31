"""Taskiq on Redis lists, asyncio on both sides."""

import os
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from taskiq import AsyncBroker, AsyncTaskiqDecoratedTask
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from benchmarks.load import ANSWER_WITHIN, WAITING, AsyncCall, ran
from benchmarks.peers import URL, patient

NAME = "taskiq, lists"
WORKER_ENV: Mapping[str, str] = {}

POLL = 0.001
"""Seconds between looks for a result: Taskiq has no blocking wait. Smaller gains nothing."""

CONNECTIONS = WAITING + 1  # the pool's default of 50 would hold callers up


async def noop() -> None:
    """Do nothing."""
    ran()


def declare(url: str) -> AsyncTaskiqDecoratedTask[[], Coroutine[Any, Any, None]]:
    """A broker on the server at `url`, as its only task."""
    # The stream broker, which also acknowledges messages, is no quicker.
    broker = ListQueueBroker(patient(url), max_connection_pool_size=CONNECTIONS)
    results: RedisAsyncResultBackend[None] = RedisAsyncResultBackend(
        patient(url), max_connection_pool_size=CONNECTIONS
    )
    return broker.with_result_backend(results).task(noop)


def worker() -> AsyncBroker:
    """Called by Taskiq's command line in the worker process."""
    return declare(os.environ[URL]).broker


def worker_argv(url: str) -> list[str]:
    """Taskiq's own command line; its default of 100 concurrent tasks is plenty."""
    # Fetching ahead of the tasks that run helps a little when requests queue up.
    options = ["--workers", "1", "--max-prefetch", str(WAITING), "--log-level", "WARNING"]
    return [sys.executable, "-m", "taskiq", "worker", f"{__name__}:worker", *options]


@asynccontextmanager
async def client(url: str) -> AsyncIterator[AsyncCall]:
    """Polls for each result."""
    task = declare(url)
    await task.broker.startup()

    async def call() -> None:
        sent = await task.kiq()
        result = await sent.wait_result(check_interval=POLL, timeout=ANSWER_WITHIN)
        result.raise_for_error()

    yield call
    await task.broker.shutdown()


async def fill(url: str, count: int) -> None:
    """Enqueue no-ops."""
    task = declare(url)
    await task.broker.startup()
    for _ in range(count):
        await task.kiq()
    await task.broker.shutdown()
