"""What the tests of `deploy` share: programs run beside the test, and questions to the servers."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psycopg
import redis

from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedCache, EmbeddedValkey

LIMIT = 60.0
"""Seconds until a test gives up on something that should happen at once."""

ROOT = Path(__file__).parents[3]
PROGRAMS = Path(__file__).parent / "programs"


class Program:
    """A Python program of this folder, run beside the test; its lines can be waited for."""

    def __init__(self, name: str, *arguments: object, before: Sequence[str] = ()) -> None:
        python = [sys.executable, "-u", str(PROGRAMS / name)]
        self.process = subprocess.Popen(
            [*before, *python, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        self.seen: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str) -> str:
        """The next line that holds `text`."""
        while True:
            try:
                line = self._lines.get(timeout=LIMIT)
            except queue.Empty:
                raise AssertionError(f"no {text!r} in time, but: {self.seen}") from None
            if line is None:
                raise AssertionError(f"the program ended without {text!r}: {self.seen}")
            self.seen.append(line)
            if text in line:
                return line

    def end(self) -> int:
        """Wait until it ends by itself; its exit code."""
        code = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        while line := self._lines.get():
            self.seen.append(line)
        return code

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait(LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reader.join(LIMIT)
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


def query(postgres: EmbeddedPostgres, statement: str) -> object:
    """The first column of the first row, in a connection and transaction of its own."""
    with psycopg.connect(postgres.url, connect_timeout=10) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def client(valkey: EmbeddedValkey | EmbeddedCache) -> "redis.Redis":
    """A client of its own connection; close it, or use it in a `with`."""
    return redis.Redis.from_url(valkey.url, decode_responses=True)


def wait_until_gone(pids: Sequence[int]) -> None:
    """Wait for the end of processes that aren't our children (Linux)."""
    import select

    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            assert poll.poll(LIMIT * 1000), f"pid {pid} is still there"
        finally:
            os.close(descriptor)


def secret_of(data: Path) -> str:
    """The generated password."""
    return (data / "postgres.secret").read_text()
