"""Bulk import beside its floor and its peers, in one run.

    python -m benchmarks.imports [--entries N] [--corpus FILE...] [--ours]

Without files it makes up a corpus. FILEs have a JSON object a line: `_id`, `title`, `text`,
`metadata`. With `--ours` the floor and the peers are left out.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import orjson

from benchmarks import corpus, floor, import_peers
from benchmarks.instance import Instance, instance
from benchmarks.processes import PROJECT
from benchmarks.progress import Progress
from benchmarks.system import MAPPING
from benchmarks.usage import cpu_of, cpu_seconds, peaks
from contracts.position import Position
from deploy.postgres import EmbeddedPostgres
from storage.index.searcher import IndexReader

WITHIN = 900.0  # seconds to become searchable after the last row
QUERIES = 300


class Ended(NamedTuple):
    """An import that is over."""

    entries: int
    stored: float  # seconds until its report
    searchable: float  # seconds until everything is found
    client_cpu: float


def run(casebook: Instance, source: Iterator[bytes] | Path, clients: list[int]) -> Ended:
    """Import a file, or a stream through stdin, with `casebook import`; adds its pid to clients."""
    began = time.monotonic()
    report, client_cpu = sent(casebook, source, clients, "--no-wait")
    stored = time.monotonic() - began
    until_indexed(casebook, Position.parse(report["position"]))
    searchable = time.monotonic() - began
    return Ended(report["counts"]["received"], stored, searchable, client_cpu)


def sent(
    casebook: Instance, source: Iterator[bytes] | Path, clients: list[int], *more: str
) -> tuple[dict[str, Any], float]:
    """The report of `casebook import` of a file or of a stream through stdin, and CPU seconds."""
    stream = not isinstance(source, Path)
    options = [word for pair in MAPPING for word in ("--map", pair)]
    options += ["--source", "bench", "--on-long", "truncate", "--json", *more]
    client = subprocess.Popen(
        [sys.executable, "-m", "cli", "import", "-" if stream else str(source), *options],
        cwd=PROJECT,
        env=casebook.environment,
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
    return report, used.ru_utime + used.ru_stime


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


def ours(source: Path) -> float:
    """Measure and print one import into an empty instance; entries/s to searchable."""
    with instance() as casebook:
        before, clients = cpu_seconds(casebook), list[int]()
        with Progress(casebook) as progress, peaks(casebook, clients) as most:
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
        progress.tell()
        search(casebook)
    return rate


def search(casebook: Instance, queries: Path | None = None) -> float:
    """Print what searches take at the size that is reached; the p50 in ms."""
    times = []
    headers = {"Authorization": f"Bearer {casebook.key}", "Cache-Control": "no-cache"}
    with httpx.Client(base_url=casebook.url, headers=headers, timeout=60) as http:
        for text in itertools.islice(corpus.queries(queries), QUERIES):
            start = time.perf_counter()
            http.get("/v1/search", params={"q": text[:500]}).raise_for_status()
            times.append((time.perf_counter() - start) * 1000)
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    print(f"  search: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    return p50


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


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--corpus", type=Path, nargs="+", default=[])
    parser.add_argument("--ours", action="store_true", help="no floor, no peers")
    options = parser.parse_args()
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
