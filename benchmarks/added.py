"""What key check, queue and worker add to one search: a lone client, everything idle before it.

The same query is asked of a FastAPI process that calls the engine itself and of the whole path, by
turns, without any cache, each after a pause in which every process falls asleep. In the same run
the floor: what two bare processes take to hand a message over and an answer back (hand_off.py), and
a ping of Valkey, which tells what waking a process costs on this machine.
"""

import http.client
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks import hand_off, pieces
from benchmarks.pieces import KEY, Ground

REQUESTS = 150
WARM_UP = 20
PAUSE = 0.05  # seconds
HEADERS = {"Authorization": f"Bearer {KEY}", "Cache-Control": "no-cache"}


class Added(NamedTuple):
    """Medians in ms; `added` is that of the differences, query by query.

    `plain` and `client`: the floor on plain sockets and through redis-py.
    """

    direct: float
    path: float
    added: float
    plain: float
    client: float
    ping: float

    def __str__(self) -> str:
        return (
            f"one client, idle: the path {self.path:.2f} ms, in FastAPI {self.direct:.2f} ms; "
            f"added, p50 {self.added:.2f} ms\n"
            f"floor, two bare processes: {self.plain:.2f} ms on sockets, {self.client:.2f} ms "
            f"through redis-py; a ping {self.ping:.2f} ms"
        )


def compare(on: Ground, queries: Sequence[str]) -> Added:
    """Measure; `queries` are as they stand behind a path, `?q=...`."""
    with ExitStack() as stack:
        ours = stack.enter_context(pieces.casebook(on))
        theirs = stack.enter_context(pieces.direct(on))
        path, direct = _get(ours.url, "/v1/search"), _get(theirs.url, "/inline")
        floors = [
            stack.enter_context(hand_off.echoing(kind, on.redis, on.data / f"{kind}.log"))
            for kind in hand_off.KINDS
        ]
        others = [*floors, _ping(on.redis)]
        asked = [queries[n % len(queries)] for n in range(WARM_UP + REQUESTS)]
        rows = []
        for number, query in enumerate(asked):
            turns = [lambda q=query: direct(q), lambda q=query: path(q)]
            # Whoever comes second finds the query's pages in the processor's caches.
            order = (0, 1) if number % 2 else (1, 0)
            taken = {place: _timed(turns[place]) for place in order}
            rows.append((taken[0], taken[1], taken[1] - taken[0], *map(_timed, others)))
    return Added(*(statistics.median(column) for column in zip(*rows[WARM_UP:], strict=True)))


def _timed(ask: Callable[[], None]) -> float:
    """Milliseconds of one call after a pause."""
    time.sleep(PAUSE)
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def _get(url: str, route: str) -> Callable[[str], None]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)

    def get(query: str) -> None:
        connection.request("GET", route + query, headers=HEADERS)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{route}: {response.status}")

    return get


def _ping(url: str) -> Callable[[], None]:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(urlsplit(url).path)

    def ping() -> None:
        connection.sendall(b"PING\r\n")
        connection.recv(64)

    return ping
