"""A throw-away Casebook, run as a user runs it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.processes import PROJECT, running, unwinding
from deploy.lock import holder

READY_WITHIN = 120.0  # seconds
STOP_WITHIN = 60.0  # seconds: workers may take half of them to end what they do


@dataclass(frozen=True)
class Instance:
    """Everything that `casebook up` starts, on a data folder of its own."""

    data: Path
    port: int

    @property
    def url(self) -> str:
        """Where its shim serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        """Its first API key."""
        return (self.data / "admin.key").read_text().strip()

    @property
    def pids(self) -> list[int]:
        """The supervisor and all that it started, however deep."""
        supervisor = orjson.loads((self.data / "lock").read_bytes())["pid"]
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, check=True).stdout
        parents = dict(map(int, line.split()) for line in listed.splitlines())
        found = [supervisor]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    @property
    def environment(self) -> dict[str, str]:
        """How a command finds it."""
        return {**os.environ, "CASEBOOK_DATA": str(self.data)}

    def run(self, *arguments: str) -> bytes:
        """Standard output of `casebook ARGUMENTS`; its errors go to ours."""
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout


@contextmanager
def instance(data: Path | None = None) -> Iterator[Instance]:
    """A Casebook without the sample, stopped at the end, also when a signal comes; removed unless
    `data` says where.

    Raises: RuntimeError with what it said where it does not get ready.
    """
    with unwinding(), TemporaryDirectory(prefix="benchmark-") as folder:
        casebook = Instance(data or Path(folder, "data"), free_port())
        log = Path(folder, "up.log")
        command = [sys.executable, "-m", "cli", "up", "--port", str(casebook.port)]
        with running(command, log, casebook.environment, STOP_WITHIN) as supervisor:
            deadline = time.monotonic() + READY_WITHIN
            while not ((found := holder(casebook.data)) and found.url):
                if supervisor.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Casebook did not get ready: {log.read_text()}")
                time.sleep(0.02)
            yield casebook


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
