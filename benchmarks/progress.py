"""How far storing and indexing are while an import runs, and what that costs."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import orjson
import psycopg

from benchmarks.instance import Instance
from benchmarks.usage import cpu_seconds
from storage.index.searcher import IndexReader

LOOK = 1.0  # seconds between two looks
STEP = 100_000  # entries between two rates


class Point(NamedTuple):
    """How far things are at a moment, and the CPU seconds used so far."""

    moment: float
    stored: int
    indexed: int
    storing: float
    indexing: float


class Progress:
    """How far storing and indexing are, over time."""

    def __init__(self, casebook: Instance) -> None:
        self._points: list[Point] = []
        self._casebook = casebook
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        reader = IndexReader(self._casebook.data / "index")
        count = "select coalesce(sum(received), 0)::bigint from import_chunks"
        with psycopg.connect(database(self._casebook), autocommit=True) as session:
            while not self._ending.wait(LOOK):
                row = session.execute(count).fetchone()
                published, used = reader.published(), cpu_seconds(self._casebook)
                self._points.append(
                    Point(
                        time.monotonic(),
                        row[0] if row else 0,
                        published.documents if published else 0,
                        used["importer"] + used["postgres"] + used["valkey"],
                        used["indexer"],
                    )
                )

    def tell(self) -> float:
        """Print rate and CPU of every STEP entries, stored and indexed; the last rate of storing
        over the first."""
        steady = self._tell("stored", lambda p: (p.stored, p.storing))
        self._tell("indexed", lambda p: (p.indexed, p.indexing))
        return steady

    def _tell(self, name: str, of: Callable[[Point], tuple[int, float]]) -> float:
        edge, rates, costs = self._points[0], [], []
        for point in self._points:
            (count, used), (before, then) = of(point), of(edge)
            if count == 0:
                edge = point
            if count - before >= STEP:
                rates.append((count - before) / (point.moment - edge.moment))
                costs.append((used - then) / (count - before) * 1e6)
                edge = point
        if len(rates) < 2:
            return 1.0
        shown = ", ".join(f"{r:,.0f}/s {c:.0f} us" for r, c in zip(rates, costs, strict=True))
        print(f"  {name}, each {STEP:,} (rate, CPU an entry): {shown}")
        steady = rates[-1] / rates[0]
        print(f"    last/first: rate {steady:.2f}, CPU {costs[-1] / costs[0]:.2f}")
        return steady


def database(casebook: Instance) -> str:
    """The URL of an instance's PostgreSQL."""
    endpoints = orjson.loads((casebook.data / "endpoints.json").read_bytes())
    return str(endpoints["database_url"])
