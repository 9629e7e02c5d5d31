"""Valkey (or Redis) as a child process, on a unix socket, with its data in the data folder."""

import signal
import socket
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from deploy import binaries, orphans
from deploy.errors import RedisNotStarted, ServerNotStarted
from deploy.process import OURSELVES, Identity
from deploy.server import Server

_PROGRAMS = ("valkey-server", "redis-server")
_SOCKET = "valkey.sock"


class EmbeddedValkey(Server):
    """Valkey in `data`: DATA/valkey, the socket in DATA/run, the log in DATA/logs.

    Every write goes to the append-only file before it's answered and to the disk within a second:
    a killed server loses nothing, a power cut up to that second. At `maxmemory` (a number with
    a unit, as Valkey reads it) writes are refused; nothing is evicted. There is no password: the
    socket and its folder can be opened by their owner only.
    """

    name: ClassVar[str] = "valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    error: ClassVar[type[ServerNotStarted]] = RedisNotStarted

    def __init__(self, data: Path, maxmemory: str = "1gb") -> None:
        super().__init__(data)
        self.maxmemory = maxmemory

    @property
    def url(self) -> str:
        """`unix:///….sock`, for redis-py's `from_url`."""
        return f"unix://{quote(str(self.folder.known_sockets() / _SOCKET))}"

    def _prepare(self) -> tuple[list[str], Identity]:
        program = binaries.valkey_server()
        sockets = self.folder.sockets()
        self.folder.valkey.mkdir(mode=0o700, exist_ok=True)
        self._end_orphan()
        return [str(program), *self._options(sockets)], OURSELVES

    def _options(self, sockets: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(sockets / _SOCKET),
            "unixsocketperm": "700",
            "dir": str(self.folder.valkey),
            "pidfile": str(self._pid_file),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": self.maxmemory,
            "maxmemory-policy": "noeviction",
            # The arguments stay visible, so that a later start can tell whose it is.
            "set-proc-title": "no",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    @property
    def _pid_file(self) -> Path:
        return self.folder.valkey / "valkey.pid"

    def _end_orphan(self) -> None:
        """Stop a server of this folder that outlived its supervisor: it takes no lock itself."""
        pid = orphans.read_pid(self._pid_file)
        if pid is not None and orphans.serves(pid, _PROGRAMS, self.folder.valkey):
            orphans.end(pid, self.stop_signal, orphans.STOP_LIMIT)

    def _answers(self) -> bool:
        """Whether it answers PING; while it still loads its data it says so instead."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(0.2)
            try:
                client.connect(str(self.folder.known_sockets() / _SOCKET))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False
