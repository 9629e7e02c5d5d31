"""HTTP requests at a constant rate, whatever becomes of them: what many strangers are like.

Clients who wait for an answer before they ask again ask less where answers are slow, and hide
that (coordinated omission). Here each request has a time at which it is due, its latency counts
from then, and a busy server gets no fewer. One event loop, requests made beforehand, a handful of
bytes looked at in each answer: 10 to 20 microseconds of CPU a request.
"""

import asyncio
import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote_plus

import uvloop

TICK = 0.001  # seconds between two looks at what is due
ENDING = 15.0  # seconds that the last answers are awaited


@dataclass
class Taken:
    """What one run saw."""

    seconds: float  # in which requests were sent
    answered: list[float] = field(default_factory=list)  # seconds from due to answered, of each 200
    refused: list[float] = field(default_factory=list)  # the same of each 503
    others: Counter[int] = field(default_factory=Counter)  # by status; 0: the connection ended
    late: float = 0.0  # seconds that a request was sent behind its time, at most
    connections: int = 0

    @property
    def goodput(self) -> float:
        """Requests answered a second."""
        return len(self.answered) / self.seconds

    def quantile(self, part: float) -> float:
        """Milliseconds within which this part of the answered was; NaN where too few were."""
        if len(self.answered) < 2:
            return math.nan
        return statistics.quantiles(self.answered, n=1000)[round(part * 1000) - 1] * 1000


class Connection(asyncio.Protocol):
    """One at a time: a request, then its answer."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.WriteTransport | None = None
        self._due: float | None = None  # of the request that is unanswered
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by inheritance

    def send(self, request: bytes, due: float) -> None:
        """Send what was due then."""
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def _answered(self, status: int) -> None:
        due, self._due = self._due, None
        if due is not None:
            self._load.answered(None if status == 0 else self, status, due)

    def data_received(self, data: bytes) -> None:
        if self._data:
            data = self._data + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + _length(data[:head].lower()):
            self._data = data
            return
        self._data = b""
        self._answered(int(data[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self._load.forget(self)
        self._answered(0)


def _length(head: bytes) -> int:
    begin = head.index(b"content-length:") + 15
    end = head.find(b"\r", begin)
    return int(head[begin : end if end > 0 else None])


class Load:
    """One run against one server."""

    def __init__(self, host: str, port: int, requests: Iterator[bytes]) -> None:
        self._address = host, port
        self._requests = requests
        self._free: list[Connection] = []
        self._waiting = deque[float]()  # due, and no connection is free
        self._asked = 0
        self._closed = False  # whether each answer is followed by the next request
        self._taken = Taken(0.0)
        self._ended: asyncio.Future[None] | None = None

    async def at_rate(self, rate: float, seconds: float, connections: int = 256) -> Taken:
        """So many requests a second, evenly."""
        await self._connect(connections)
        begin, sent, total = time.perf_counter(), 0, round(rate * seconds)
        while sent < total:
            now = time.perf_counter()
            while sent < total and begin + sent / rate <= now:
                self._send(begin + sent / rate)
                sent += 1
            await asyncio.sleep(TICK)
        return await self._finish(begin)

    async def in_turn(self, clients: int, seconds: float) -> Taken:
        """So many clients, each of whom asks again when it has its answer."""
        await self._connect(clients)
        self._closed = True
        begin = time.perf_counter()
        for _ in range(clients):
            self._send(time.perf_counter())
        await asyncio.sleep(seconds)
        self._closed = False
        return await self._finish(begin)

    def answered(self, connection: Connection | None, status: int, due: float) -> None:
        """An answer came on this connection, or none will (0)."""
        now = time.perf_counter()
        if status == 200:
            self._taken.answered.append(now - due)
        elif status == 503:
            self._taken.refused.append(now - due)
        else:
            self._taken.others[status] += 1
        self._asked -= 1
        if connection is not None:
            self._free.append(connection)
        if self._closed:
            self._send(now)
        elif self._waiting:
            self._send(self._waiting.popleft())
        elif self._ended is not None and self._asked == 0 and not self._ended.done():
            self._ended.set_result(None)

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        if connection in self._free:
            self._free.remove(connection)

    def _send(self, due: float) -> None:
        if not self._free:
            self._waiting.append(due)
            return
        self._taken.late = max(self._taken.late, time.perf_counter() - due)
        self._asked += 1
        self._free.pop().send(next(self._requests), due)

    async def _connect(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, one = await loop.create_connection(lambda: Connection(self), *self._address)
            self._free.append(one)
        self._taken.connections = connections

    async def _finish(self, begin: float) -> Taken:
        self._taken.seconds = time.perf_counter() - begin
        if self._asked:
            self._ended = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._ended], timeout=ENDING)
        return self._taken


def searches(texts: Sequence[str], port: int, key: str) -> list[bytes]:
    """A request for each text."""
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
    return [f"GET /v1/search?q={quote_plus(text)} {head}".encode() for text in texts]


def at_rate(requests: Iterator[bytes], port: int, rate: float, seconds: float) -> Taken:
    """So many requests a second, whatever becomes of them."""
    return uvloop.run(Load("127.0.0.1", port, requests).at_rate(rate, seconds))


def in_turn(requests: Iterator[bytes], port: int, clients: int, seconds: float) -> Taken:
    """So many clients, each of whom waits for its answer and asks again."""
    return uvloop.run(Load("127.0.0.1", port, requests).in_turn(clients, seconds))
