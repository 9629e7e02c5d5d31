"""The full path without any cache, beside the same search inside FastAPI processes.

A Casebook is held against as many FastAPI processes as it has workers: its turns against theirs
before and after. What else the machine does changes within minutes by a third.
"""

import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import pieces, wrk
from benchmarks.pieces import Ground, Pieces
from benchmarks.wrk import Answered

CLIENTS = (16, 64)
TURNS = 4  # of each, with turns of the bare processes before, between and after them
NO_CACHE = "Cache-Control: no-cache"


class Row(NamedTuple):
    """One line of the table: medians of the turns; CPU microseconds a request by process."""

    name: str
    clients: int
    ratio: float | None
    rate: float
    p50: float
    p99: float
    cpu: dict[str, float]

    def __str__(self) -> str:
        cpu = ", ".join(f"{what} {each:.0f}" for what, each in self.cpu.items())
        ratio = f"{self.ratio:.2f}" if self.ratio else "-"
        start = f"{self.name:32}{self.clients:>8}{self.rate:>8.0f}{ratio:>7}"
        return f"{start}{self.p50:>10.1f}{self.p99:>10.1f}  {cpu}"


HEAD = f"{'':32}{'clients':>8}{'/s':>8}{'ratio':>7}{'p50 ms':>10}{'p99 ms':>10}  CPU us a request"


class Asked:
    """The turns of one system."""

    def __init__(self, running: Pieces, route: str, paths: Path, *headers: str) -> None:
        self.running, self.route, self.paths, self.headers = running, route, paths, headers
        self.turns: list[Answered] = []
        self.used: Counter[str] = Counter()
        self.requests = 0.0

    def turn(self, clients: int, seconds: int) -> None:
        """Ask for so long; CPU is counted beside."""
        before = self.running.cpu()
        found = wrk.ask(self.running.url, self.route, self.paths, clients, seconds, *self.headers)
        self.turns.append(found)
        self.requests += found.rate * seconds
        self.used.update({what: used - before[what] for what, used in self.running.cpu().items()})

    def row(self, name: str, clients: int, ratio: float | None = None) -> Row:
        """What its turns come to."""
        cpu = {what: used / max(1.0, self.requests) * 1e6 for what, used in self.used.items()}
        rate, p50, p99 = (statistics.median(column) for column in zip(*self.turns, strict=True))
        return Row(name, clients, ratio, rate, p50, p99, cpu)


def compare(on: Ground, paths: Path, seconds: int) -> list[Row]:
    """One line of each system and number of clients, bare processes after what is held to them."""
    rows = []
    for count in (1, 2):
        base: dict[int, list[Asked]] = {}
        with pieces.direct(on, processes=count) as bare:
            for shims in (1, 2):
                name = f"casebook, {_of(count, 'worker')}, {_of(shims, 'shim')}"
                with pieces.casebook(on, workers=count, shims=shims) as running:
                    for clients in CLIENTS:
                        ours = Asked(running, "/v1/search", paths, NO_CACHE)
                        theirs = Asked(bare, "/inline", paths)
                        ratio = by_turns(ours, theirs, clients, seconds)
                        rows.append(ours.row(name, clients, ratio))
                        base.setdefault(clients, []).append(theirs)
        name = f"FastAPI, {count} process{'es' * (count > 1)}"
        rows += [_together(name, clients, turns) for clients, turns in base.items()]
    return rows


def _of(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def by_turns(ours: Asked, theirs: Asked, clients: int, seconds: int) -> float:
    """The ratio of their rates: the median of those of each turn to the two beside it."""
    wrk.ask(ours.running.url, ours.route, ours.paths, clients, 1, *ours.headers)  # to warm up
    theirs.turn(clients, seconds)
    for _ in range(TURNS):
        ours.turn(clients, seconds)
        theirs.turn(clients, seconds)
    beside = itertools.pairwise(turn.rate for turn in theirs.turns)
    turns = zip(ours.turns, beside, strict=True)
    return statistics.median(2 * turn.rate / (before + after) for turn, (before, after) in turns)


def _together(name: str, clients: int, runs: Iterable[Asked]) -> Row:
    first, *rest = runs
    for run in rest:
        first.turns += run.turns
        first.used.update(run.used)
        first.requests += run.requests
    return first.row(name, clients, 1.0)


def table(rows: Sequence[Row]) -> str:
    """The rows as text; ratios to as many FastAPI processes at the same clients."""
    return "\n".join([HEAD, *map(str, rows)])
