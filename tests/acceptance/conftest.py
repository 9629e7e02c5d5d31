"""A whole Casebook, as `casebook up` runs it, and the ways in."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 120.0  # seconds that one command may take


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return orjson.loads(self.out)


@dataclass(frozen=True)
class Casebook:
    """A data folder with everything running on it."""

    data: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """How a command finds it."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CASEBOOK_")}
        return {**kept, "CASEBOOK_DATA": str(self.data), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    def run(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Ran:
        """Run `casebook ARGUMENTS` as a person would."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment | environment,
            timeout=LIMIT,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def http(self, *, key: str | None = None) -> httpx.Client:
        """An HTTP client with the first key."""
        key = (self.data / "admin.key").read_text().strip() if key is None else key
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=60,
        )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Casebook]]:
    """Starts a Casebook on a data folder of its own; all of them are stopped at the end."""
    running: list[Casebook] = []

    def begin(*arguments: str) -> Casebook:
        casebook = Casebook(tmp_path_factory.mktemp("data"), free_port())
        running.append(casebook)
        done = casebook.run("up", "--detach", "--port", str(casebook.port), *arguments)
        assert done.code == 0, done.err
        return casebook

    yield begin
    for casebook in running:
        casebook.run("down")


@pytest.fixture(scope="session")
def casebook(start: Callable[..., Casebook]) -> Casebook:
    """One with the sample, shared by tests that leave the sample alone."""
    return start("--sample")


@pytest.fixture
def http(casebook: Casebook) -> Iterator[httpx.Client]:
    """A client of the shared one."""
    with casebook.http() as client:
        yield client
