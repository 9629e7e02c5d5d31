"""Child processes that never outlive the block that started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The folder every child runs in, so that `benchmarks` can be imported there."""

STOP_WITHIN = 5.0
"""Seconds a process has to end by itself after SIGTERM, before SIGKILL."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unwinding() -> Iterator[None]:
    """A signal that would end this process ends the block instead, and with it what it started.

    Only the first one does: a second would cut the end short. Enter it in the main thread.
    """

    def end(number: int, _: object) -> None:
        for one in ENDING:
            signal.signal(one, signal.SIG_IGN)
        sys.exit(128 + number)

    former = {one: signal.signal(one, end) for one in ENDING}
    try:
        yield
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


@contextmanager
def running(
    argv: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    stop_within: float = STOP_WITHIN,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the length of the block; its stdout and stderr go to `log`.

    `env` adds to this process's environment. After the block it has `stop_within` seconds to end.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=PROJECT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C reaches only us, so we stop the children in order,
            # and a worker's own children can be ended with it.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process, stop_within)


def _stop(process: subprocess.Popen[bytes], within: float) -> None:
    try:
        process.terminate()
        process.wait(within)
    except subprocess.TimeoutExpired:
        pass  # killed below
    finally:
        # Always, not only when late: a process may end and leave its own children behind.
        # The group is usually empty by now, which is an error on both Linux and macOS.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
