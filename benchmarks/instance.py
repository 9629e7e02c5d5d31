"""A throw-away Casebook, run as a user runs it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.processes import PROJECT


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
    """A Casebook without the sample, stopped at the end; removed unless `data` says where."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        casebook = Instance(data or Path(folder), free_port())
        try:
            casebook.run("up", "--detach", "--port", str(casebook.port))
            yield casebook
        finally:
            casebook.run("down")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
