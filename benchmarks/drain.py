"""One-way drain of a full queue, ours beside stock Dramatiq's: `python -m benchmarks.drain`.

A queue of no-op messages is filled first; then one worker process empties it. The clock runs in
that process, from the first message to the last. Ours runs every product middleware, stock
Dramatiq those it comes with. They take turns.
"""

import argparse
import statistics
import subprocess
import sys
import threading
import time

from benchmarks.processes import PROJECT
from benchmarks.server import server

WITHIN = 120.0  # seconds that one worker has
CONTENDERS = ("casebook", "dramatiq")


class Meter:
    """Counts messages; knows when the first and the last of `count` ran."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._first = 0.0
        self.seconds = 0.0
        self.done = threading.Event()

    def tick(self) -> None:
        """One message ran."""
        with self._lock:
            self._first = self._first or time.perf_counter()
            self._left -= 1
            if self._left == 0:
                self.seconds = time.perf_counter() - self._first
                self.done.set()


def casebook(url: str, count: int) -> float:
    """Fill and drain our queue; seconds of the drain."""
    from actors.actor import actor
    from actors.broker.broker import StreamsBroker
    from actors.broker.link import answered
    from actors.broker.worker import Reading, Worker
    from actors.middleware import policies
    from contracts.base import Nothing

    meter = Meter(count)

    @actor(queue="benchmark")
    def noop(request: Nothing) -> Nothing:
        """Do nothing."""
        meter.tick()
        return request

    broker = StreamsBroker(url, policies())
    noop.declare(broker)
    for _ in range(count // 500):
        commands = [broker.prepare(noop.message(Nothing())).command for _ in range(500)]
        for answer in broker.link.ask(*commands):
            answered(answer)
    worker = Worker(broker, [Reading("benchmark", threads=2, prefetch=32)])
    worker.start()
    assert meter.done.wait(WITHIN)
    worker.stop()
    return meter.seconds


def dramatiq(url: str, count: int) -> float:
    """Fill and drain stock Dramatiq's queue; seconds of the drain."""
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    meter = Meter(count)
    broker = RedisBroker(url=url)  # type: ignore[no-untyped-call]  # Dramatiq's
    dramatiq.set_broker(broker)

    @dramatiq.actor
    def noop() -> None:
        meter.tick()

    for _ in range(count):
        noop.send()
    worker = dramatiq.Worker(broker, worker_threads=8)
    worker.start()
    assert meter.done.wait(WITHIN)
    worker.stop()
    return meter.seconds


def run(name: str, count: int) -> float:
    """Messages a second of one drain, in a process and on a server of its own."""
    with server() as url:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.drain", "--run", name, url, str(count)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=2 * WITHIN,
            check=False,
        )
    if done.returncode != 0:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return count / float(done.stdout)


def main() -> None:
    """Measure and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="messages (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each (%(default)s)")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        name, url, count = options.run
        print(globals()[name](url, int(count)))
        return
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(options.rounds):
        for name in CONTENDERS:
            rates[name].append(run(name, options.count))
    ours, stock = (statistics.median(rates[name]) for name in CONTENDERS)
    for name, found in rates.items():
        print(f"{name:10} {statistics.median(found):>8,.0f}/s   runs", [round(r) for r in found])
    print(f"ratio      {ours / stock:>8.1f}")


if __name__ == "__main__":
    main()
