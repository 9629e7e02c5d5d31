"""The processes that a search goes through, in any number, on an index that was made before.

Unlike `casebook up` it leaves out what has no part in a search: importer, indexer, supervisor.
Several shims share one port, as do several direct apps: the kernel deals out the connections.
"""

import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from fastapi import Depends
from redis import Redis

from benchmarks.instance import free_port
from benchmarks.processes import running
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey
from storage.postgres.migrations import migrate
from storage.postgres.store import Store

KEY = "benchmark"
HELLO = "/hello"  # a route of the benchmark's shim that only looks at the caller's key
UP_WITHIN = 60.0  # seconds
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ground:
    """The servers, and the folder with the index."""

    data: Path
    postgres: str
    redis: str
    valkey_pid: int


@dataclass(frozen=True)
class Pieces:
    """Processes that answer at `url`; their pids by what they do."""

    url: str
    pids: Mapping[str, list[int]]

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far, by what does the work."""
        return {name: sum(map(cpu_seconds, pids)) for name, pids in self.pids.items()}


@contextmanager
def ground(data: Path) -> Iterator[Ground]:
    """PostgreSQL and Valkey in `data`, with one API key."""
    postgres, valkey = EmbeddedPostgres(data), EmbeddedValkey(data)
    with ExitStack() as stack:
        for server in (postgres, valkey):
            server.start()
            stack.callback(server.stop)
        migrate(postgres.url)
        store = Store(postgres.url)
        store.open()
        stack.callback(store.close)
        with store.transaction() as tx:
            digest = hashlib.sha256(KEY.encode()).hexdigest()
            tx.run("system.add_key", digest=digest, name="benchmark")
        assert valkey.process is not None
        yield Ground(data, postgres.url, valkey.url, valkey.process.pid)


@contextmanager
def casebook(
    on: Ground, *, workers: int = 1, shims: int = 1, more: Mapping[str, str] | None = None
) -> Iterator[Pieces]:
    """Shims and workers; `more` are CASEBOOK_* variables of theirs."""
    port = free_port()
    settings = {
        "CASEBOOK_DATA": str(on.data),
        "CASEBOOK_DATABASE_URL": on.postgres,
        "CASEBOOK_REDIS_URL": on.redis,
        "CASEBOOK_PORT": str(port),
        "CASEBOOK_LOG_LEVEL": "WARNING",
        **(more or {}),
    }
    with Redis.from_url(on.redis) as redis:
        redis.flushall()  # a consumer of a run before would be waited for
    roles = {
        "worker": [sys.executable, "-m", "actors.worker", "worker"],
        "shim": [sys.executable, "-m", "benchmarks.pieces", "shim", str(port)],
    }
    counts = {"worker": workers, "shim": shims}
    with ExitStack() as stack:
        pids = _started(stack, on.data, roles, counts, settings)
        url = f"http://127.0.0.1:{port}"
        _until_answered(f"{url}/v1/search?q=ready", shims)
        yield Pieces(url, {**pids, "valkey": [on.valkey_pid]})


@contextmanager
def direct(on: Ground, *, processes: int = 1) -> Iterator[Pieces]:
    """The same search inside FastAPI processes (benchmarks/direct.py)."""
    port = free_port()
    argv = [sys.executable, "-m", "benchmarks.pieces", "direct", str(port), str(on.data / "index")]
    with ExitStack() as stack:
        pids = _started(stack, on.data, {"direct": argv}, {"direct": processes}, {})
        url = f"http://127.0.0.1:{port}"
        _until_answered(f"{url}/inline?q=ready", processes)
        yield Pieces(url, pids)


def _started(
    stack: ExitStack,
    folder: Path,
    roles: Mapping[str, list[str]],
    counts: Mapping[str, int],
    settings: Mapping[str, str],
) -> dict[str, list[int]]:
    pids: dict[str, list[int]] = {}
    for role, argv in roles.items():
        for number in range(counts[role]):
            log = folder / f"{role}-{number}.log"
            pids.setdefault(role, []).append(stack.enter_context(running(argv, log, settings)).pid)
    return pids


def _until_answered(url: str, processes: int) -> None:
    """Return once every process behind `url` has most likely answered: each request is a
    connection of its own, and opens what its process opens once."""
    deadline = time.monotonic() + UP_WITHIN
    answered = 0
    while answered < 8 * processes:
        try:
            headers = {"Authorization": f"Bearer {KEY}"}
            answered += httpx.get(url, headers=headers, timeout=10).status_code == 200
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody answered at {url} within {UP_WITHIN:.0f} s")
        if not answered:
            time.sleep(0.1)


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def serve(role: str, port: int, *rest: str) -> None:
    """One of the processes that share a port."""
    if role == "shim":
        from settings import Settings
        from shim.app import make_app
        from shim.keys import caller

        app = make_app(Settings.load())

        @app.get(HELLO, dependencies=[Depends(caller)])
        async def hello() -> dict[str, str]:
            return {"hello": "world"}
    else:
        from benchmarks import direct as peer

        app = peer.make_app(Path(rest[0]))
    shared = socket.socket()
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    shared.bind(("127.0.0.1", port))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[shared])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
