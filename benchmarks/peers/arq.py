"""arq on Redis, asyncio on both sides."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

from benchmarks.load import ANSWER_WITHIN, WAITING, AsyncCall, ran
from benchmarks.peers import URL

NAME = "arq, polling every 2 ms"
WORKER_ENV: Mapping[str, str] = {}

POLL = 0.002
"""Seconds between looks, of the worker for jobs and of the client for a result: arq has no
blocking wait. Its default of 0.5 s makes an idle round trip take that long."""


def settings(url: str) -> RedisSettings:
    """arq takes a path, not a unix URL as others write it."""
    return RedisSettings(unix_socket_path=url.removeprefix("unix://"))


async def noop(_context: dict[Any, Any]) -> None:
    """Do nothing."""
    ran()


def worker_argv(url: str) -> list[str]:
    """arq's own worker; its command line takes a class, which can't take a URL."""
    return [sys.executable, "-c", f"from {__name__} import work; work()"]


def work() -> None:
    """Run the worker until SIGTERM."""
    Worker(
        [noop],
        redis_settings=settings(os.environ[URL]),
        poll_delay=POLL,
        max_jobs=WAITING,
        queue_read_limit=WAITING,
    ).run()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[AsyncCall]:
    """Polls for each result."""
    pool = await create_pool(settings(url))

    async def call() -> None:
        job = await pool.enqueue_job("noop")
        assert job is not None
        # Not `job.result`: it looks for the result, then in the queue, and raises where the job
        # ends in between.
        async with asyncio.timeout(ANSWER_WITHIN):
            while await job.result_info() is None:  # noqa: ASYNC110  # there is no event
                await asyncio.sleep(POLL)

    yield call
    await pool.close()


async def fill(url: str, count: int) -> None:
    """Enqueue no-ops."""
    pool = await create_pool(settings(url))
    for _ in range(count):
        await pool.enqueue_job("noop")
    await pool.close()
