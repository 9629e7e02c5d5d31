"""What handing one message to another process and its answer back takes on this machine at least.

Two bare processes and Valkey: XADD wakes the one that is blocked in XREADGROUP, its RPUSH wakes the
one that is blocked in BLPOP. That is what any queue on it adds to a call, before it does anything:
no contracts, no acknowledgement, no HTTP. On plain sockets, and through redis-py with hiredis.
"""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hiredis
from redis import Redis

from benchmarks.processes import running

KINDS = ("socket", "redis-py")
GROUP = "workers"
MESSAGE, REPLY = "x" * 300, "x" * 6_000  # about what a search and its reply are long

Ask = Callable[..., Any]


def _socket(url: str) -> Ask:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(urlsplit(url).path)
    reader = hiredis.Reader()

    def ask(*command: Any) -> Any:
        connection.sendall(hiredis.pack_command(command))
        while (answer := reader.gets()) is False:
            reader.feed(connection.recv(65536))
        return answer

    return ask


def _connected(kind: str, url: str) -> Ask:
    if kind == "socket":
        return _socket(url)
    return Redis.from_url(url, protocol=2, socket_timeout=None).execute_command


def _keys(kind: str) -> tuple[str, str]:
    """The stream and the list of replies."""
    return f"hand-off:{kind}:stream", f"hand-off:{kind}:replies"


@contextmanager
def echoing(kind: str, url: str, log: Path) -> Iterator[Callable[[], None]]:
    """A process that answers; what hands it a message and returns with its answer."""
    ask, (stream, replies) = _connected(kind, url), _keys(kind)
    ask("DEL", stream, replies)
    ask("XGROUP", "CREATE", stream, GROUP, "$", "MKSTREAM")

    def there_and_back() -> None:
        ask("XADD", stream, "*", "body", MESSAGE)
        ask("BLPOP", replies, 0)

    argv = [sys.executable, "-m", "benchmarks.hand_off", kind, url]
    with running(argv, log):
        yield there_and_back


def answer(kind: str, url: str) -> None:
    """The other process."""
    ask, (stream, replies) = _connected(kind, url), _keys(kind)
    read = "XREADGROUP", "GROUP", GROUP, "one", "COUNT", 1, "BLOCK", 0, "STREAMS", stream, ">"
    while True:
        ask(*read)
        ask("RPUSH", replies, REPLY)


if __name__ == "__main__":
    answer(*sys.argv[1:])
