"""A hot answer beside hello: the same app, key check and metrics, over real sockets (`wrk`).

One connection, then sixteen, by turns: what else the machine does falls on both.
"""

import statistics
from pathlib import Path
from typing import NamedTuple

from benchmarks import pieces, wrk
from benchmarks.pieces import HELLO, Ground, Pieces

CLIENTS = (1, 16)
ROUNDS = 5


class Beside(NamedTuple):
    """Medians of the rounds' p50, in ms, and of the rounds' ratios."""

    clients: int
    hello: float
    hot: float
    ratio: float

    def __str__(self) -> str:
        return (
            f"{self.clients} clients: p50 of a hot answer {self.hot:.3f} ms, of hello "
            f"{self.hello:.3f} ms, ratio {self.ratio:.2f}"
        )


def compare(on: Ground, paths: Path, seconds: int) -> list[Beside]:
    """Measure; the file `paths` holds a few queries that are asked again and again."""
    with pieces.casebook(on) as running:
        wrk.ask(running.url, "/v1/search", paths, 1, seconds)  # from here on they are hot
        return [_beside(running, paths, clients, seconds) for clients in CLIENTS]


def _beside(running: Pieces, paths: Path, clients: int, seconds: int) -> Beside:
    rounds = []
    for number in range(ROUNDS):
        routes = (HELLO, "/v1/search") if number % 2 else ("/v1/search", HELLO)
        found = {
            route: wrk.ask(running.url, route, paths, clients, seconds).p50 for route in routes
        }
        rounds.append((found[HELLO], found["/v1/search"], found["/v1/search"] / found[HELLO]))
    hello, hot, ratio = (statistics.median(column) for column in zip(*rounds, strict=True))
    return Beside(clients, hello, hot, ratio)
