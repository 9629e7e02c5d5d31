"""Worker processes for fault tests, and the journal in which they say what they do."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from redis import Redis

from tests.support.waiting import SOON

ROOT = Path(__file__).parents[2]
HEARTBEAT = 600  # ms


class Journal:
    """Lines of the form `WORD PID`, in order, each read once."""

    def __init__(self, redis: Redis, queue: str) -> None:
        self._redis = redis
        self._key = f"journal:{queue}"

    def line(self, timeout: float = 5 * SOON) -> tuple[str, int]:
        """The next line. Fails when none comes."""
        found = self._redis.blpop([self._key], timeout=timeout)
        assert found is not None, "nothing more was written"
        word, pid = found[1].decode().split()
        return word, int(pid)

    def until(self, done: Callable[[list[tuple[str, int]]], bool]) -> list[tuple[str, int]]:
        """The lines up to the one with which `done` is true of them."""
        lines: list[tuple[str, int]] = []
        while not done(lines):
            lines.append(self.line())
        return lines


@contextlib.contextmanager
def worker_processes(
    url: str, queue: str, count: int, *, prefetch: int, journal: str | None = None
) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Runs `count` worker processes, starting up on their own time; kills what is left.

    Their journal may be on another server than their queue.
    """
    program = [sys.executable, "-m", "tests.faults.programs.worker"]
    arguments = [url, queue, str(HEARTBEAT), str(prefetch), journal or url]
    started = [
        subprocess.Popen(
            [*program, *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(count)
    ]
    try:
        yield started
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()
