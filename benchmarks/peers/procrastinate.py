"""Procrastinate on PostgreSQL, asyncio on both sides, with an embedded server of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import procrastinate

from benchmarks.load import ANSWER_WITHIN, WAITING, AsyncCall, ran
from benchmarks.peers import URL
from deploy.postgres import EmbeddedPostgres

NAME = "procrastinate, PostgreSQL"
WORKER_ENV: Mapping[str, str] = {}

POLL = 0.005
"""Seconds between looks whether a job is done: it has no waiting for a result, and keeps none."""


def declare(url: str) -> procrastinate.App:
    """An app on the PostgreSQL beside the server at `url`, with its only task."""
    server = EmbeddedPostgres(_folder(url))
    connector = procrastinate.PsycopgConnector(conninfo=server.url, max_size=8)
    app = procrastinate.App(connector=connector)
    app.task(name="noop")(noop)
    return app


async def noop() -> None:
    """Do nothing."""
    ran()


def worker_argv(url: str) -> list[str]:
    """A worker, which also runs PostgreSQL: the benchmark starts one process."""
    return [sys.executable, "-c", f"from {__name__} import work; work()"]


def work() -> None:
    """Run PostgreSQL and the worker until SIGTERM."""
    url = os.environ[URL]
    server = EmbeddedPostgres(_folder(url))
    server.start()
    try:
        asyncio.run(_work(declare(url), _folder(url) / "ready"))
    finally:
        server.stop()


async def _work(app: procrastinate.App, ready: Path) -> None:
    async with _opened(app, ready):
        await app.run_worker_async(concurrency=WAITING)


@asynccontextmanager
async def _opened(app: procrastinate.App, ready: Path) -> AsyncIterator[None]:
    async with app.open_async():
        if not ready.exists():  # noqa: ASYNC240  # nothing else goes on in this loop
            await app.schema_manager.apply_schema_async()
        ready.touch()  # noqa: ASYNC240  # the same
        yield


async def fill(url: str, count: int) -> None:
    """Enqueue no-ops."""
    folder = _folder(url)
    server = EmbeddedPostgres(folder)
    server.start()
    app = declare(url)
    async with _opened(app, folder / "ready"):
        for _ in range(count // 500):
            await app.tasks["noop"].batch_defer_async(*[{} for _ in range(500)])
    server.stop()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[AsyncCall]:
    """Asks after each job until it is done."""
    while not (_folder(url) / "ready").exists():  # noqa: ASYNC110  # another process makes it
        await asyncio.sleep(0.1)
    app = declare(url)
    async with app.open_async():

        async def call() -> None:
            job = await app.tasks["noop"].defer_async()
            async with asyncio.timeout(ANSWER_WITHIN):
                while (await app.job_manager.get_job_status_async(job)).value != "succeeded":  # noqa: ASYNC110  # there is no event
                    await asyncio.sleep(POLL)

        yield call


def _folder(url: str) -> Path:
    folder = Path(url.removeprefix("unix://")).parent / "procrastinate"
    folder.mkdir(exist_ok=True)
    return folder
