"""RQ with the worker that runs jobs in its own process."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from redis import Redis
from rq import Queue
from rq.results import Result

from benchmarks.load import ANSWER_WITHIN, Threads, ran
from benchmarks.peers import patient

NAME = "rq, SimpleWorker"
WORKER_ENV: Mapping[str, str] = {}


def noop() -> None:
    """Do nothing."""
    ran()


def worker_argv(url: str) -> list[str]:
    """RQ's own command line; it has no worker of several threads."""
    # RQ's default worker forks for each job, which takes many times as long as the round trip.
    options = ["--worker-class", "rq.SimpleWorker", "--quiet"]
    return [sys.executable, "-m", "rq.cli", "worker", "--url", patient(url), *options]


@contextmanager
def client(url: str) -> Iterator[Threads]:
    """Waits for each result with a blocking read of the job's own stream."""
    queue = Queue(connection=Redis.from_url(patient(url)))

    def send() -> Callable[[], None]:
        job = queue.enqueue(noop)

        def wait() -> None:
            result = job.latest_result(timeout=ANSWER_WITHIN)
            if result is None or result.type is not Result.Type.SUCCESSFUL:
                raise RuntimeError(f"the job gave {result}")

        return wait

    yield Threads(send, count=1)
