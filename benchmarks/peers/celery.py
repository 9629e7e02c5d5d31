"""Celery with its thread pool, Redis as both broker and result backend."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from celery import Celery  # type: ignore[import-untyped]  # Celery ships no types

from benchmarks.load import ANSWER_WITHIN, Threads, ran

NAME = "celery, threads"
WORKER_ENV: Mapping[str, str] = {}

# The pool fit for work that waits. Two to eight threads measure the same, more are slower.
POOL = ["--pool", "threads", "--concurrency", "4"]
# A single worker has nobody to exchange events with, and one log line a task costs time.
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]

app = Celery("benchmark")


def noop() -> None:
    """Do nothing."""
    ran()


task = app.task(noop)


def worker_argv(url: str) -> list[str]:
    """Celery's own command line."""
    servers = ["--broker", _celery_url(url), "--result-backend", _celery_url(url)]
    command = [sys.executable, "-m", "celery", "--app", __name__, *servers, "worker"]
    return [*command, *POOL, *QUIET]


@contextmanager
def client(url: str) -> Iterator[Threads]:
    """Hears of results by publish/subscribe, over one connection for all threads."""
    app.conf.update(broker_url=_celery_url(url), result_backend=_celery_url(url))

    def send() -> Callable[[], None]:
        result = task.delay()
        return lambda: result.get(timeout=ANSWER_WITHIN)

    # One or a few threads with long windows are slower here, unlike in the other clients.
    yield Threads(send, count=16)


def _celery_url(url: str) -> str:
    return url.replace("unix://", "redis+socket://")
