"""Bulk import beside its floor and its peers, in one run.

    python -m benchmarks.imports [--entries N] [--corpus FILE...] [--ours] [--stream MB]

Without files it makes up a corpus. FILEs have a JSON object a line: `_id`, `title`, `text`,
`metadata`. With `--ours` the floor and the peers are left out; with `--stream` a generator sends
that many MB through stdin, and only rates and memory are told.
"""

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx
import orjson
import psycopg

from benchmarks import corpus, floor, import_peers
from benchmarks.instance import Instance, instance
from benchmarks.processes import PROJECT
from benchmarks.system import MAPPING
from benchmarks.usage import cpu_of, cpu_seconds, peaks
from contracts.position import Position
from deploy.postgres import EmbeddedPostgres
from storage.index.searcher import IndexReader

WITHIN = 900.0  # seconds to become searchable after the last row
LOOK = 1.0  # seconds between two looks at how far things are
STEP = 100_000  # entries between two rates
QUERIES = 300


class Ended(NamedTuple):
    """An import that is over."""

    entries: int
    stored: float  # seconds until its report
    searchable: float  # seconds until everything is found
    client_cpu: float


class Point(NamedTuple):
    """How far things are at a moment, and the CPU seconds used so far."""

    moment: float
    stored: int
    indexed: int
    storing: float
    indexing: float


class Pace:
    """How far storing and indexing are, over time."""

    def __init__(self, casebook: Instance) -> None:
        self._points: list[Point] = []
        self._casebook = casebook
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Pace":
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

    def tell(self) -> None:
        """Print rate and CPU of every STEP entries, stored and indexed."""
        self._tell("stored", lambda p: (p.stored, p.storing))
        self._tell("indexed", lambda p: (p.indexed, p.indexing))

    def _tell(self, name: str, of: Callable[[Point], tuple[int, float]]) -> None:
        edge, rates, costs = self._points[0], [], []
        for point in self._points:
            (count, used), (before, then) = of(point), of(edge)
            if count == 0:
                edge = point
            if count - before >= STEP:
                rates.append((count - before) / (point.moment - edge.moment))
                costs.append((used - then) / (count - before) * 1e6)
                edge = point
        if len(rates) > 1:
            shown = ", ".join(f"{r:,.0f}/s {c:.0f} us" for r, c in zip(rates, costs, strict=True))
            print(f"  {name}, each {STEP:,} (rate, CPU an entry): {shown}")
            print(
                f"    last/first: rate {rates[-1] / rates[0]:.2f}, CPU {costs[-1] / costs[0]:.2f}"
            )


def database(casebook: Instance) -> str:
    """The URL of an instance's PostgreSQL."""
    endpoints = orjson.loads((casebook.data / "endpoints.json").read_bytes())
    return str(endpoints["database_url"])


def run(casebook: Instance, source: Iterator[bytes] | Path, clients: list[int]) -> Ended:
    """Import a file, or a stream through stdin, with `casebook import`; adds its pid to clients."""
    stream = not isinstance(source, Path)
    options = [word for pair in MAPPING for word in ("--map", pair)]
    options += ["--source", "bench", "--on-long", "truncate", "--json", "--no-wait"]
    command = [sys.executable, "-m", "cli", "import", "-" if stream else str(source), *options]
    began = time.monotonic()
    client = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, "CASEBOOK_DATA": str(casebook.data)},
        stdin=subprocess.PIPE if stream else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    clients.append(client.pid)
    if not isinstance(source, Path):
        assert client.stdin
        for block in source:
            client.stdin.write(block)
        client.stdin.close()
    assert client.stdout
    report = orjson.loads(client.stdout.read())
    _, status, used = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    stored = time.monotonic() - began
    until_indexed(casebook, Position.parse(report["position"]))
    searchable = time.monotonic() - began
    cpu = used.ru_utime + used.ru_stime
    return Ended(report["counts"]["received"], stored, searchable, cpu)


def until_indexed(casebook: Instance, position: Position) -> None:
    """Return once searches see `position`. Raises TimeoutError after WITHIN."""
    reader, deadline = IndexReader(casebook.data / "index"), time.monotonic() + WITHIN
    while True:
        published = reader.published()
        if published is not None and published.position.reaches(position):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not searchable {WITHIN:.0f} s after the last row")
        time.sleep(0.05)


def ours(source: Iterator[bytes] | Path) -> float:
    """Measure and print one import into an empty instance; entries/s to searchable."""
    with instance() as casebook:
        before, clients = cpu_seconds(casebook), list[int]()
        with Pace(casebook) as pace, peaks(casebook, clients) as most:
            done = run(casebook, source, clients)
        used = cpu_seconds(casebook)
        used.subtract(before)
        used["client"] = done.client_cpu
        rate = done.entries / done.searchable
        print(f"casebook: {done.entries:,} entries: {done.entries / done.stored:,.0f}/s stored,")
        late = done.searchable - done.stored
        print(f"  {rate:,.0f}/s searchable ({late:.1f} s after the last row)")
        each = {name: cpu / done.entries * 1e6 for name, cpu in used.items() if cpu > 0.1}
        told = ", ".join(f"{name} {cpu:.0f}" for name, cpu in sorted(each.items()))
        print(f"  CPU, microseconds an entry: {told}; together {sum(each.values()):.0f}")
        memory = ", ".join(f"{name} {most[name]}" for name in ("importer", "indexer"))
        print(f"  peak memory in MB: client {most['client']} (resident), {memory} (anonymous)")
        pace.tell()
        if isinstance(source, Path):
            search(casebook)
    return rate


def search(casebook: Instance) -> None:
    """Print what searches take at the size that is reached."""
    times = []
    headers = {"Authorization": f"Bearer {casebook.key}"}
    with httpx.Client(base_url=casebook.url, headers=headers, timeout=60) as http:
        for text in itertools.islice(corpus.queries(None), QUERIES):
            start = time.perf_counter()
            http.get("/v1/search", params={"q": text}).raise_for_status()
            times.append((time.perf_counter() - start) * 1000)
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"  search: p50 {statistics.median(times):.1f} ms, p95 {p95:.1f} ms")


def peers(file: Path, folder: Path, entries: int) -> dict[str, float]:
    """Entries/s of the peers."""
    before = time.process_time()
    rates = {"SQLite FTS5, row by row": entries / import_peers.fts5(file, folder)}
    fts5 = time.process_time() - before
    server = EmbeddedPostgres(folder / "peer")
    server.start()
    try:
        assert server.process
        before, then = time.process_time(), cpu_of(server.process.pid)
        taken = import_peers.script(file, folder, server.url)
        script = time.process_time() - before + cpu_of(server.process.pid) - then
        told = f"FTS5 {fts5 / entries * 1e6:.0f}, script {script / entries * 1e6:.0f}"
        print(f"  CPU, microseconds an entry: {told}")
        rates["executemany and tantivy"] = entries / taken
    finally:
        server.stop()
    return rates


def generated(size: int) -> Iterator[bytes]:
    """About `size` bytes of made-up rows, none of them kept."""
    draw, sent = random.Random(corpus.SEED), 0
    for first in itertools.count(0, 100):
        block = b"".join(corpus.row(draw, number) for number in range(first, first + 100))
        yield block
        sent += len(block)
        if sent >= size:
            return


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--corpus", type=Path, nargs="+", default=[])
    parser.add_argument("--ours", action="store_true", help="no floor, no peers")
    parser.add_argument("--stream", type=int, metavar="MB", help="a stream of this size instead")
    options = parser.parse_args()
    if options.stream:
        ours(generated(options.stream * 1_000_000))
        return 0
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder, file = Path(name), Path(name) / "rows.ndjson"
        files = options.corpus
        if not files:
            files = [folder / "made.ndjson.gz"]
            corpus.make(files[0], min(options.entries, corpus.COUNT))
        corpus.multiply(files, options.entries, file)
        rate = ours(file)
        if not options.ours:
            rates = {"floor": floor.measure(file), **peers(file, folder, options.entries)}
            for label, other in rates.items():
                print(f"{label}: {other:,.0f}/s; casebook is {rate / other:.2f} x that")
    return 0


if __name__ == "__main__":
    sys.exit(main())
