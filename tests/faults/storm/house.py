"""The Casebook that the storm hits: its servers, the proxies before them, its processes."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psutil
from redis import Redis

from deploy.lock import holder
from deploy.postgres import PORT, EmbeddedPostgres
from deploy.process import kill_group
from deploy.server import Server
from deploy.valkey import EmbeddedCache, EmbeddedValkey
from tests.faults.storm.disk import Disk
from tests.support.casebook import Casebook, free_port
from tests.support.proxy import Proxy

HEARTBEAT = 1_000  # ms
PATIENCE = 60.0  # seconds for one thing to happen
TIMEOUT = 3  # seconds that the shim awaits an answer

#: What each kind of process shows in its command line, and how many of it there are.
KINDS = {
    "worker": ("actors.worker worker", 2),
    "importer": ("actors.worker importer", 1),
    "indexer": ("actors.worker indexer", 1),
    "shim": ("shim.app", 1),
}


class House:
    """Everything on one folder.

    Either behind proxies, with servers that the harness runs (and starts again when they die), or
    `embedded`, as `casebook up` runs everything by itself.
    """

    def __init__(self, base: Path, *, embedded: bool, disks: bool) -> None:
        self.base, self.embedded = base, embedded
        self.data = base / "data"
        servers = self.data if embedded else base / "servers"
        self.postgres, self.valkey = EmbeddedPostgres(servers), EmbeddedValkey(servers)
        self.cache = EmbeddedCache(servers)
        self.casebook = Casebook(self.data, free_port())
        self.index_disk = Disk(self.data / "index") if disks else None
        self.aof_disk = Disk(servers / "valkey") if disks else None
        self.redis_proxy: Proxy | None = None
        self.postgres_proxy: Proxy | None = None
        #: Processes of the harness's own that read queues.
        self.guests: list[subprocess.Popen[bytes]] = []
        self._proxies = contextlib.ExitStack()
        self._supervisor = 0

    @property
    def environment(self) -> dict[str, str]:
        """What `casebook up` is told beside its folder."""
        told = {
            "CASEBOOK_HEARTBEAT": str(HEARTBEAT),
            "CASEBOOK_READ_TIMEOUT": str(TIMEOUT),
            "CASEBOOK_WRITE_TIMEOUT": str(TIMEOUT),
        }
        if self.redis_proxy and self.postgres_proxy:
            told["CASEBOOK_REDIS_URL"] = self.redis_proxy.url
            told["CASEBOOK_CACHE_URL"] = self.cache.url
            told["CASEBOOK_DATABASE_URL"] = _over_tcp(self.postgres.url, self.postgres_proxy.port)
        return told

    @property
    def redis_url(self) -> str:
        """Where our processes, and the load's own client, find Redis."""
        return self.redis_proxy.url if self.redis_proxy else self.valkey.url

    @property
    def servers(self) -> tuple[Server, ...]:
        """All of them, in the order in which they start."""
        return self.postgres, self.valkey, self.cache

    def redis(self) -> Redis:
        """A direct connection, past the proxy. Close it."""
        return Redis.from_url(self.valkey.url)

    def __enter__(self) -> "House":
        try:
            self.data.mkdir(parents=True)
            for disk in (self.index_disk, self.aof_disk):
                if disk:
                    disk.mount()
            if not self.embedded:
                for server in self.servers:
                    server.start()
                socket = self.postgres.folder.known_sockets() / f".s.PGSQL.{PORT}"
                self.redis_proxy = self._proxies.enter_context(Proxy(self.valkey.url))
                self.postgres_proxy = self._proxies.enter_context(
                    Proxy(f"unix://{quote(str(socket))}")
                )
            self.up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def up(self) -> None:
        """`casebook up --detach`, asked again while a former one's children still go.

        Raises: AssertionError with what it said when it does not come up within PATIENCE.
        """
        deadline = time.monotonic() + PATIENCE
        command = ("up", "--detach", "--port", str(self.casebook.port), "--workers", "2")
        while True:
            done = self.casebook.process(*command, **self.environment)
            if done.code == 0:
                break
            assert time.monotonic() < deadline, f"casebook up: {done.err}"
            time.sleep(0.2)
        found = holder(self.data)
        assert found is not None
        self._supervisor = found.pid

    def supervisor(self) -> psutil.Process:
        """Raises psutil.NoSuchProcess when it was killed."""
        return psutil.Process(self._supervisor)

    def processes(self, kind: str) -> list[psutil.Process]:
        """The living processes of one kind in KINDS, oldest first."""
        mark = KINDS[kind][0]
        return [one for one in self.children() if mark in " ".join(_cmdline(one))]

    def children(self) -> list[psutil.Process]:
        """The supervisor's children that live."""
        try:
            found = self.supervisor().children()
        except psutil.NoSuchProcess:
            return []
        return [one for one in found if _lives(one)]

    def server_pid(self, server: Server) -> int | None:
        """Of an embedded server, whoever runs it; None while it's down."""
        if not self.embedded:
            return server.pid
        mark = "bin/postgres" if server is self.postgres else f"{server.name}.sock"
        found = [one.pid for one in self.children() if mark in " ".join(_cmdline(one))]
        return found[0] if found else None

    def revive(self) -> None:
        """Start again servers of the harness's own that died; embedded ones come by themselves."""
        for server in self.servers:
            if not self.embedded and server.pid is None:
                server.start()

    def strangers(self) -> list[psutil.Process]:
        """Processes on this folder that nobody looks after: neither the supervisor nor below it."""
        known = {os.getpid(), self._supervisor, *(guest.pid for guest in self.guests)}
        with contextlib.suppress(psutil.NoSuchProcess):
            known |= {one.pid for one in self.supervisor().children(recursive=True)}
        for server in self.servers:
            if not self.embedded and server.pid:
                known.add(server.pid)
                known |= {one.pid for one in psutil.Process(server.pid).children(recursive=True)}
        return [one for one in psutil.process_iter() if one.pid not in known and self._ours(one)]

    def close(self) -> None:
        """Stop everything that runs on the folder, whatever state it is in."""
        for disk in (self.index_disk, self.aof_disk):
            if disk:
                disk.free()
        for one in psutil.process_iter():
            if self._ours(one):
                with contextlib.suppress(psutil.Error):
                    one.send_signal(signal.SIGCONT)
        self.casebook.process("down")
        for one in self.strangers():
            with contextlib.suppress(psutil.Error):
                if one.pid not in [server.pid for server in self.servers]:
                    one.kill()
        if not self.embedded:
            self._proxies.close()
            for server in reversed(self.servers):
                server.stop()
                if server.process:
                    kill_group(server.process)
        for disk in (self.index_disk, self.aof_disk):
            if disk:
                disk.unmount()

    def _ours(self, process: psutil.Process) -> bool:
        folder = str(self.base)
        try:
            if not _lives(process) or process.pid == os.getpid():
                return False
            inside = process.environ().get("CASEBOOK_DATA", "").startswith(folder)
            return inside or any(part.startswith(folder) for part in process.cmdline())
        except psutil.Error:
            return False


def _over_tcp(url: str, port: int) -> str:
    head, _, _ = url.partition("@")
    return f"{head}@127.0.0.1:{port}/postgres?sslmode=disable"


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
