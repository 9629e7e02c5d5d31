"""One-way drain of a full queue, ours beside its peers: `python -m benchmarks.drain`.

A queue of no-op messages is filled first; then one worker process empties it. The clock runs in
that process, from the first message to the last. Ours runs every product middleware, the others
what they come with. Slow peers have fewer messages. They take turns.
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import peers
from benchmarks.load import COUNT, DONE, Threads
from benchmarks.peers import URL
from benchmarks.processes import running
from benchmarks.server import server

MESSAGES = 20_000
WITHIN = 90.0  # seconds that one worker has
#: Messages of those that would take minutes for 20,000.
FEWER = {"rq": 2_000, "celery": 4_000, "procrastinate": 2_000}


def fill(name: str, url: str, count: int) -> None:
    """Enqueue so many no-ops."""
    peer: Any = peers.load(name)
    if hasattr(peer, "fill"):
        asyncio.run(peer.fill(url, count))
        return
    with peer.client(url) as client:
        assert isinstance(client, Threads)
        for _ in range(count):
            client.send()


def run(name: str, count: int) -> float:
    """Messages a second of one drain, in a process and on a server of its own."""
    count = min(count, FEWER.get(name, count))
    with TemporaryDirectory(prefix="benchmark-") as folder, server() as url:
        fill(name, url, count)
        peer, done, log = peers.load(name), Path(folder, "done"), Path(folder, "log")
        more = {URL: url, COUNT: str(count), DONE: str(done), **peer.WORKER_ENV}
        with running(peer.worker_argv(url), log, more) as worker:
            deadline = time.monotonic() + WITHIN
            while not (done.exists() and done.read_text()):
                if worker.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{name} failed:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)
        return count / float(done.read_text())


def main() -> None:
    """Measure and print the medians."""
    known = peers.names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain", description=__doc__)
    parser.add_argument("--peers", default=",".join(known), help="comma-separated (%(default)s)")
    parser.add_argument("--count", type=int, default=MESSAGES, help="messages (%(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="of each (%(default)s)")
    options = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in options.peers.split(",")}
    for _ in range(options.rounds):
        for name, found in rates.items():
            print(f"drain: {name}", file=sys.stderr)
            found.append(run(name, options.count))
    ours = statistics.median(rates["casebook"]) if "casebook" in rates else None
    for name, found in rates.items():
        rate = statistics.median(found)
        ratio = f"{rate / ours:.2f}" if ours else "-"
        print(f"{peers.load(name).NAME:28}{rate:>9,.0f}/s{ratio:>8} x ours")


if __name__ == "__main__":
    main()
