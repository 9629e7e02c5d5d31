"""A relay in front of a server that tests can cut, at any moment or at a chosen one."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType

from redis.connection import parse_url


@dataclass(eq=False)
class Trap:
    """Cuts the connection that carries `needle`, before or after the server has acted on it."""

    needle: bytes
    answer_lost: bool
    #: Set once the connection is cut.
    sprung: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class Limit:
    """Cuts the connection that carries the next data once `most` bytes of it have passed."""

    most: int
    #: Whether the bytes are the server's; otherwise they are the client's.
    of_answers: bool
    passed: bytearray = field(default_factory=bytearray)
    #: Set once the connection is cut.
    sprung: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class Pair:
    """One relayed connection."""

    client: socket.socket
    server: socket.socket
    trap: Trap | None = None
    swallowed: bool = False

    def cut(self) -> None:
        """End both sides; the pumps close them."""
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Relays TCP connections on `url` (any server: on `port`) to the one at `target` (unix://)."""

    def __init__(self, target: str) -> None:
        self._target: str = parse_url(target)["path"]  # type: ignore[no-untyped-call]  # redis-py's
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._pairs: set[Pair] = set()
        self._trap: Trap | None = None
        self._limit: Limit | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._down = False

    def __enter__(self) -> "Proxy":
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.down()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def down(self) -> None:
        """Cut every connection and refuse new ones."""
        with self._lock:
            self._down = True
        self.cut()

    def up(self) -> None:
        """Accept connections again."""
        with self._lock:
            self._down = False

    def cut(self) -> None:
        """Cut every connection; new ones are welcome at once."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()

    def lose_request(self, needle: bytes) -> Trap:
        """Cut the next connection that sends `needle`; the server never sees that request."""
        return self._set(Trap(needle, answer_lost=False))

    def lose_answer(self, needle: bytes) -> Trap:
        """Let the next request with `needle` through, and cut instead of passing on its answer."""
        return self._set(Trap(needle, answer_lost=True))

    def swallow(self) -> None:
        """Nothing comes through the connections that there are any more, and nobody ends them.

        So it looks where a host or a firewall vanished; new connections are fine.
        """
        with self._lock:
            for pair in self._pairs:
                pair.swallowed = True

    def disarm(self) -> None:
        """Forget what was set and has not sprung."""
        with self._lock:
            self._trap = self._limit = None

    def limit(self, limit: Limit | None) -> None:
        """Let only so much pass from now on (None: everything), where one connection is busy."""
        with self._lock:
            self._limit = limit

    def _set(self, trap: Trap) -> Trap:
        with self._lock:
            self._trap = trap
        return trap

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]  # ours
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            pair = Pair(client, server)
            with self._lock:
                welcome = not self._down
                if welcome:
                    self._pairs.add(pair)
            try:
                if not welcome:
                    raise ConnectionRefusedError
                server.connect(self._target)
            except OSError:
                self._forget(pair)
                continue
            self._spawn(self._relay, pair)

    def _relay(self, pair: Pair) -> None:
        answers = threading.Thread(target=self._pump_answers, args=(pair,), daemon=True)
        answers.start()
        with contextlib.suppress(OSError):
            while data := pair.client.recv(65536):
                trap = self._springs(data)
                if trap is not None and not trap.answer_lost:
                    pair.cut()
                    trap.sprung.set()
                    break
                pair.trap = trap
                self._send(pair, data, of_answers=False)
        pair.cut()
        answers.join()
        self._forget(pair)

    def _pump_answers(self, pair: Pair) -> None:
        with contextlib.suppress(OSError):
            while data := pair.server.recv(65536):
                if pair.trap is not None:
                    pair.cut()
                    pair.trap.sprung.set()
                    return
                self._send(pair, data, of_answers=True)
        pair.cut()

    def _send(self, pair: Pair, data: bytes, *, of_answers: bool) -> None:
        """Pass `data` on, up to the limit. Raises OSError when that cuts the connection."""
        if pair.swallowed:
            return
        place = pair.client if of_answers else pair.server
        with self._lock:
            limit = self._limit
            if limit is None or limit.of_answers is not of_answers:
                limit = None
            else:
                data = data[: limit.most - len(limit.passed)]
                limit.passed += data
                if len(limit.passed) >= limit.most:
                    self._limit = None
        if data:
            place.sendall(data)
        if limit is not None and len(limit.passed) >= limit.most:
            pair.cut()
            limit.sprung.set()
            raise ConnectionAbortedError

    def _springs(self, data: bytes) -> Trap | None:
        with self._lock:
            if self._trap is None or self._trap.needle not in data:
                return None
            trap, self._trap = self._trap, None
            return trap

    def _forget(self, pair: Pair) -> None:
        with self._lock:
            self._pairs.discard(pair)
        pair.client.close()
        pair.server.close()
