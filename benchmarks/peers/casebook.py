"""Our own queue: an operation as the product runs it, with every middleware."""

import gc
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from actors.actor import actor
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.broker.worker import Reading, Worker
from actors.failures import FailureLog
from actors.metrics.meters import Meters
from actors.middleware import policies
from actors.spans import SpanLog
from benchmarks.load import ANSWER_WITHIN, AsyncCall, ran
from benchmarks.peers import URL
from contracts.base import Nothing

NAME = "casebook"
WORKER_ENV: Mapping[str, str] = {}

THREADS = 2
PREFETCH = 32


@actor(queue="benchmark", read=True)
def noop(request: Nothing) -> Nothing:
    """Do nothing."""
    ran()
    return request


def declare(url: str) -> StreamsBroker:
    """A broker on the server at `url` that knows the one operation."""
    broker = StreamsBroker(url, policies())
    noop.declare(broker)
    # What the policies work with in a worker process; nothing here is slow or fails, so that
    # neither log has anything to send.
    failures, spans = FailureLog(lambda batch: None), SpanLog(lambda batch: None)
    broker.resources |= {Meters: Meters(), FailureLog: failures, SpanLog: spans}
    return broker


def worker_argv(url: str) -> list[str]:
    """A worker with our own threads."""
    # Not `-m`: an operation is named after its module, which would be `__main__`.
    return [sys.executable, "-c", f"from {__name__} import work; work()"]


@asynccontextmanager
async def client(url: str) -> AsyncIterator[AsyncCall]:
    """Waits for replies on the client's one list."""

    async with Client(declare(url)) as asking:

        async def call() -> None:
            await asking.call(noop.message(Nothing()), timeout=ANSWER_WITHIN, deadline=True)

        yield call


def work() -> None:
    """Run the worker until SIGTERM."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    worker = Worker(declare(os.environ[URL]), [Reading("benchmark", THREADS, PREFETCH)])
    worker.start()
    gc.freeze()  # as actors/worker.py does
    ending.wait()
    worker.stop()


async def fill(url: str, count: int) -> None:
    """Enqueue no-ops."""
    async with Client(declare(url)) as asking:
        for _ in range(count):
            await asking.send(noop.message(Nothing()))
