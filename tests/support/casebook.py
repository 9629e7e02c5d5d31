"""A whole Casebook, as `casebook up` runs it, and the ways in."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
from click.testing import CliRunner

import cli
from tests.support.waiting import SOON

ROOT = Path(__file__).parents[2]
LIMIT = 180.0  # seconds that one command may take: longer than `up --detach` waits
FIRST_PORT, PORTS = 20_000, 12_000  # below those that a system gives to connections


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
    #: CASEBOOK_* variables of every command.
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """How a command finds it."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CASEBOOK_")}
        return {**kept, "PYTHONPATH": str(ROOT), **self._ours}

    @property
    def _ours(self) -> dict[str, str]:
        return {"CASEBOOK_DATA": str(self.data), **self.settings}

    def run(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Ran:
        """Run `casebook ARGUMENTS` in this process: another would import for a second.

        Only in the main thread. What a command did not foresee is raised here.
        """
        theirs = {name: None for name in os.environ if name.startswith("CASEBOOK_")}
        with _limited():
            done = CliRunner().invoke(
                cli.main,
                arguments,
                input=stdin,
                env={**theirs, **self._ours, **environment},
                prog_name="casebook",
            )
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout_bytes.decode(), done.stderr_bytes.decode())

    def process(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Ran:
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

    def until_well(self) -> Any:
        """What `status --verify` tells once all is well: a process that has just begun says so a
        little later than it works. Fails with the page where that never is."""
        deadline = time.monotonic() + SOON
        while (page := self.run("status", "--verify", "--json")).code:
            assert time.monotonic() < deadline, page.out
        return page.json

    def http(self, *, key: str | None = None) -> httpx.Client:
        """An HTTP client with the first key."""
        key = (self.data / "admin.key").read_text().strip() if key is None else key
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=60,
        )

    def children(self, mark: str) -> list[psutil.Process]:
        """The supervisor's living children with `mark` in their command line."""
        supervisor = orjson.loads((self.data / "lock").read_bytes())["pid"]
        return [one for one in psutil.Process(supervisor).children() if _is(one, mark)]


@contextmanager
def _limited() -> Iterator[None]:
    """Raises TimeoutError where the main thread is after LIMIT."""

    def late(*_: object) -> None:
        raise TimeoutError(f"the command goes on after {LIMIT:g} s")

    former = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _is(process: psutil.Process, mark: str) -> bool:
    try:
        living = process.status() != psutil.STATUS_ZOMBIE
        return living and mark in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """A port that nobody listens on, nor is given for a connection before it is listened on."""
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(data: Path, *arguments: str, **settings: str) -> Iterator[Casebook]:
    """A Casebook on this folder, with these CASEBOOK_* variables, stopped at the end."""
    casebook = Casebook(data, free_port(), settings)
    try:
        done = casebook.process("up", "--detach", "--port", str(casebook.port), *arguments)
        assert done.code == 0, done.err
        yield casebook
    finally:
        casebook.process("down")
