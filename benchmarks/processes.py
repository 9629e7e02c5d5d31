"""Child processes that never outlive the block that started them."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The folder every child runs in, so that `benchmarks` can be imported there."""

STOP_WITHIN = 5.0
"""Seconds a process has to end by itself after SIGTERM, before SIGKILL."""


@contextmanager
def running(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the length of the block; its stdout and stderr go to `log`.

    `env` adds to this process's environment.
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
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        process.terminate()
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        pass  # killed below
    finally:
        # Always, not only when late: a process may end and leave its own children behind.
        # The group is usually empty by now, which is an error on both Linux and macOS.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
