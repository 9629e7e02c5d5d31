"""Searches beside a full-speed import: `python -m benchmarks.neighbours`.

One person searches at a steady pace, first alone, then while another source is imported; the
latencies of both, and their ratio. A search is asked every INTERVAL whatever the one before took
(late ones count from when they were due), as people ask.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks import corpus
from benchmarks.instance import Instance, instance
from benchmarks.processes import PROJECT
from benchmarks.system import MAPPING

INTERVAL = 0.05  # seconds between two searches
ALONE = 20.0  # seconds measured without an import


def search(casebook: Instance, texts: list[str], until: threading.Event) -> list[float]:
    """Milliseconds of each search until the event is set; each is computed anew."""
    headers = {"Authorization": f"Bearer {casebook.key}", "Cache-Control": "no-cache"}
    with (
        httpx.Client(base_url=casebook.url, headers=headers, timeout=60) as http,
        ThreadPoolExecutor(8) as pool,
    ):

        def one(text: str, due: float) -> float:
            http.get("/v1/search", params={"q": text[:500]}).raise_for_status()
            return (time.perf_counter() - due) * 1000

        asked, start = [], time.perf_counter()
        for number, text in enumerate(itertools.cycle(texts)):
            due = start + number * INTERVAL
            if until.wait(max(0.0, due - time.perf_counter())):
                break
            asked.append(pool.submit(one, text, due))
        return [future.result() for future in asked]


def report(name: str, taken: list[float]) -> float:
    """Print p50 and p99; the p99 in ms."""
    p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
    print(f"{name:14} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms ({len(taken)} searches)")
    return p99


def importing(casebook: Instance, file: Path, source: str) -> "subprocess.Popen[bytes]":
    """An import in a process of its own."""
    options = [word for pair in MAPPING for word in ("--map", pair)]
    command = ["import", str(file), "--source", source, "--on-long", "truncate", "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *command, *options],
        cwd=PROJECT,
        env=casebook.environment,
        stdout=subprocess.DEVNULL,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.neighbours", description=__doc__)
    parser.add_argument("--corpus", type=Path, help="rows with _id, title, text, metadata")
    parser.add_argument("--queries", type=Path, help='lines of {"text": ...}')
    options = parser.parse_args()
    with TemporaryDirectory(prefix="benchmark-") as folder, instance() as casebook:
        file = options.corpus
        if file is None:
            file = Path(folder) / "made.ndjson.gz"
            corpus.make(file)
        texts = corpus.queries(options.queries)
        importing(casebook, file, "first").wait()
        ended = threading.Event()
        threading.Timer(ALONE, ended.set).start()
        alone = report("alone", search(casebook, texts, ended))
        ended.clear()
        busy = importing(casebook, file, "second")
        threading.Thread(target=lambda: (busy.wait(), ended.set())).start()
        beside = report("beside import", search(casebook, texts, ended))
        print(f"ratio of p99   {beside / alone:.1f}")


if __name__ == "__main__":
    main()
