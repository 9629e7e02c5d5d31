"""Valkey (or Redis) as a child process on a unix socket: one for the queues, one for the cache."""

import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from deploy import binaries, orphans
from deploy.errors import RedisNotStarted, ServerNotStarted
from deploy.process import OURSELVES, Identity
from deploy.server import Server

_PROGRAMS = ("valkey-server", "redis-server")


class _Valkey(Server):
    """A server with a folder of its own; its socket in DATA/run, its log in DATA/logs.

    `maxmemory` is a number with a unit, as Valkey reads it. There is no password: the socket and
    its folder can be opened by their owner only.
    """

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    error: ClassVar[type[ServerNotStarted]] = RedisNotStarted
    #: What makes this one what it is.
    options: ClassVar[dict[str, str]]

    def __init__(self, data: Path, maxmemory: str, chosen: Mapping[str, str] | None = None) -> None:
        super().__init__(data)
        self.maxmemory = maxmemory
        self._chosen = chosen or {}
        self._home = self.folder.path / self.name

    @property
    def url(self) -> str:
        """`unix:///….sock`, for redis-py's `from_url`."""
        return f"unix://{quote(str(self.folder.known_sockets() / self._socket))}"

    def _prepare(self) -> tuple[list[str], Identity]:
        program = binaries.valkey_server()
        sockets = self.folder.sockets()
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._end_orphan()
        return [str(program), *self._options(sockets)], OURSELVES

    def _options(self, sockets: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(sockets / self._socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "pidfile": str(self._pid_file),
            "daemonize": "no",
            "save": "",
            "maxmemory": self.maxmemory,
            **self.options,
            **self._chosen,
            # The arguments stay visible, so that a later start can tell whose it is.
            "set-proc-title": "no",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    @property
    def _pid_file(self) -> Path:
        return self._home / "valkey.pid"

    @property
    def _socket(self) -> str:
        return f"{self.name}.sock"

    def _end_orphan(self) -> None:
        """Stop a server of this folder that outlived its supervisor: it takes no lock itself."""
        pid = orphans.read_pid(self._pid_file)
        if pid is not None and orphans.serves(pid, _PROGRAMS, self._home):
            orphans.end(pid, self.stop_signal, orphans.STOP_LIMIT)

    def _answers(self) -> bool:
        """Whether it answers PING; while it still loads its data it says so instead."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(0.2)
            try:
                client.connect(str(self.folder.known_sockets() / self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False


class EmbeddedValkey(_Valkey):
    """The queues' instance, in DATA/valkey.

    Every write goes to the append-only file. `sync` says when that is on the disk: `always` before
    it is answered; `everysec` within a second, and then a killed server loses nothing, unless the
    disk is so slow that such a sync is still under way: Valkey holds writes back meanwhile, for up
    to two seconds. At `maxmemory` writes are refused; nothing is evicted.
    """

    name: ClassVar[str] = "valkey"
    options: ClassVar[dict[str, str]] = {
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
    }

    def __init__(self, data: Path, maxmemory: str = "1gb", sync: str = "everysec") -> None:
        super().__init__(data, maxmemory, {"appendfsync": sync})


class EmbeddedCache(_Valkey):
    """The cache's instance, in DATA/cache: nothing is written to the disk, and at `maxmemory` what
    is seldom asked for makes room. Memory and eviction belong to an instance, so the queues have
    another. Nothing of it is lost when it is killed."""

    name: ClassVar[str] = "cache"
    stop_limit: ClassVar[float] = 2.0
    options: ClassVar[dict[str, str]] = {"appendonly": "no", "maxmemory-policy": "allkeys-lfu"}

    def __init__(self, data: Path, maxmemory: str = "500mb") -> None:
        super().__init__(data, maxmemory)
