"""The whole system: import, search over HTTP, created to searchable, what it costs when idle.

`python -m benchmarks.system [--corpus FILE --queries FILE]`, with `wrk` on the PATH.
"""

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import httpx
import orjson

from benchmarks import corpus
from benchmarks.instance import Instance, free_port, instance
from benchmarks.processes import running

MAPPING = ("external_id=_id", "problem=text", "category=metadata.category", "tags=metadata.tags")
CLIENTS = 16
SECONDS = 5
ROUNDS = 3
WRITES = 100
_REQUESTS = re.compile(r"(\d+) requests in")
QUIET = 20.0  # seconds over which idle CPU is counted


def measure_import(casebook: Instance, file: Path) -> int:
    """Import the corpus, from the command to everything searchable; the number of entries."""
    start = time.monotonic()
    options = [word for pair in MAPPING for word in ("--map", pair)]
    command = ["import", str(file), "--source", "bench", "--on-long", "truncate", "--json"]
    counts = orjson.loads(casebook.run(*command, *options))["counts"]
    taken = time.monotonic() - start
    print(f"import: {counts['created']} entries searchable after {taken:.1f} s:", end=" ")
    print(f"{counts['created'] / taken:.0f}/s")
    return int(counts["created"])


def measure_search(casebook: Instance, texts: list[str], folder: Path) -> None:
    """Requests per second through shim, queue and worker, and of the same search in one app."""
    paths = folder / "paths"
    paths.write_text("\n".join("?" + urlencode({"q": text[:500]}) for text in texts))
    port = free_port()
    argv = [sys.executable, "-m", "benchmarks.direct", str(casebook.data / "index"), str(port)]
    direct = f"http://127.0.0.1:{port}"
    targets = {
        "casebook": (casebook.url, "/v1/search"),
        "direct, inline": (direct, "/inline"),
        "direct, thread pool": (direct, "/pool"),
    }
    rates: dict[str, list[float]] = {name: [] for name in targets}
    with running(argv, folder / "direct.log"):
        until_up(direct)
        for turn in range(ROUNDS + 1):
            for name, (url, route) in targets.items():
                rate, latency = wrk(url, route, paths, casebook.key)
                if turn:  # the first is to warm up
                    rates[name].append(rate)
                    print(f"  {name}: {rate:.0f}/s, {latency}")
    ours = statistics.median(rates.pop("casebook"))
    name, best = max(((n, statistics.median(r)) for n, r in rates.items()), key=lambda one: one[1])
    print(f"search at {CLIENTS} clients: {ours:.0f}/s, {ours / best:.2f} x {name} ({best:.0f}/s)")


def wrk(
    url: str, route: str, paths: Path, key: str, *, refusals: bool = False
) -> tuple[float, str]:
    """Requests per second, and latency.

    Raises RuntimeError for answers that are not 200; with `refusals`, says how many were not: a
    shim that is asked for more than it answers refuses at once, which is no latency of a search.
    """
    script = str(Path(__file__).with_name("search.lua"))
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--latency", "-s", script]
    done = subprocess.run(
        [*command, "-H", f"Authorization: Bearer {key}", url],
        env={**os.environ, "PATHS": str(paths), "ROUTE": route},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    if refused and not refusals:
        raise RuntimeError(done)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    # At a line's begin: its other percentages may end in 50, too.
    p50, p99 = (re.search(rf"^\s*{one}%\s+(\S+)", done, re.MULTILINE) for one in (50, 99))
    if not (rate and p50 and p99):
        raise RuntimeError(done)
    told = f"p50 {p50[1]}, p99 {p99[1]}"
    if refused:
        told += (
            f", {refused[1]} refused of {found[1] if (found := _REQUESTS.search(done)) else '?'}"
        )
    return float(rate[1]), told


def measure_freshness(casebook: Instance) -> None:
    """From the call that creates an entry to the answer of a search that finds it."""
    taken = []
    headers = {"Authorization": f"Bearer {casebook.key}"}
    with httpx.Client(base_url=casebook.url, headers=headers, timeout=60) as http:
        for number in range(WRITES):
            start = time.perf_counter()
            word = f"fresh{number}word"
            done = http.post("/v1/entries", json={"title": word}).raise_for_status().json()
            params = {"q": word, "after": done["position"], "limit": "1"}
            found = http.get("/v1/search", params=params).raise_for_status().json()
            taken.append((time.perf_counter() - start) * 1000)
            assert found["hits"][0]["id"] == done["entry"]["id"]
    p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
    print(f"created to searchable: p50 {p50:.0f} ms, p99 {p99:.0f} ms ({WRITES} writes)")


def measure_idle(casebook: Instance) -> None:
    """Memory and CPU of everything, when nobody asks for anything."""
    if not Path("/proc/self/smaps_rollup").exists():
        print("idle: proportional memory can be read on Linux only")
        return
    time.sleep(5)
    before, start = ticks(casebook.pids), time.monotonic()
    time.sleep(QUIET)
    used, taken = ticks(casebook.pids) - before, time.monotonic() - start
    cpu = used / os.sysconf("SC_CLK_TCK") / taken
    print(f"idle: {sum(map(pss, casebook.pids)) / 1024:.0f} MB (PSS), {cpu:.1%} of a core")


def pss(pid: int) -> int:
    """Proportional memory of a process in KiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def ticks(pids: list[int]) -> int:
    """CPU that those of these processes that still live have used, in clock ticks."""
    used = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            one = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            used += int(one[11]) + int(one[12])
    return used


def until_up(url: str) -> None:
    """Wait until somebody answers at `url`, at most 15 s."""
    deadline = time.monotonic() + 15
    while True:
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.system", description=__doc__)
    parser.add_argument("--corpus", type=Path, help="rows with _id, title, text, metadata")
    parser.add_argument("--queries", type=Path, help='lines of {"text": ...}')
    options = parser.parse_args()
    with TemporaryDirectory(prefix="benchmark-") as name, instance() as casebook:
        folder = Path(name)
        measure_idle(casebook)
        file = options.corpus
        if file is None:
            file = folder / "made.ndjson.gz"
            corpus.make(file)
        measure_import(casebook, file)
        measure_freshness(casebook)
        if shutil.which("wrk") is None:
            print("search: install wrk (apt-get install wrk, brew install wrk) to measure it")
        else:
            measure_search(casebook, corpus.queries(options.queries), folder)
        measure_idle(casebook)
    return 0


if __name__ == "__main__":
    sys.exit(main())
