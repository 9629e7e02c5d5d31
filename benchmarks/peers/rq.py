"""RQ with the worker that runs jobs in its own process."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from redis import Redis
from rq import Queue
from rq.results import Result

from benchmarks.load import ANSWER_WITHIN, Call
from benchmarks.peers import patient

NAME = "rq, SimpleWorker"
WORKER_ENV: Mapping[str, str] = {}


def noop() -> None:
    """Do nothing."""


def worker_argv(url: str) -> list[str]:
    """RQ's own command line; it has no worker of several threads."""
    # RQ's default worker forks for each job, which takes many times as long as the round trip.
    options = ["--worker-class", "rq.SimpleWorker", "--quiet"]
    return [sys.executable, "-m", "rq.cli", "worker", "--url", patient(url), *options]


@contextmanager
def client(url: str) -> Iterator[Call]:
    """Waits for each result with a blocking read of the job's own stream."""
    queue = Queue(connection=Redis.from_url(patient(url)))

    def call() -> None:
        result = queue.enqueue(noop).latest_result(timeout=ANSWER_WITHIN)
        if result is None or result.type is not Result.Type.SUCCESSFUL:
            raise RuntimeError(f"the job gave {result}")

    yield call
