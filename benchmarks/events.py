"""What recording events costs: searches alone and beside 10,000 events a second, in turns.

Part of `python -m benchmarks.analytics`. Batches of 500 come as the shim sends them, from a process
of their own, to one worker process (the importer); roll-ups run meanwhile, once a minute. Twenty
searches a second are asked for, each computed anew.
"""

import multiprocessing
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import UUID

import orjson
import psycopg

from actors import analytics
from actors.broker import queues
from actors.broker.broker import StreamsBroker
from actors.queues import producer_broker
from benchmarks import corpus
from benchmarks.instance import Instance
from benchmarks.neighbours import importing, search
from benchmarks.usage import cpu_seconds
from contracts.analytics import BATCH_MAX, Event, EventKind, RollUp
from pipelines.events import id_at

Used = Counter[str]  # CPU seconds by kind of process
TURNS = 4  # with events, and as many without
ENTRIES = 20_000  # that are searched
WORDS = 4_000  # different queries of the events that are sent
FLOOD = 200  # batches that are sent at once


def batch(chance: random.Random) -> bytes:
    """A batch of 500 events of this moment: searches with ten hits, and what follows from them."""
    now, events = datetime.now(UTC), []
    for _ in range(BATCH_MAX):
        text = f"query number {int(chance.paretovariate(0.9)) % WORDS}"
        fields = {"query": text, "normalised": text, "total": 40, "took_ms": 3.5}
        hits = tuple(str(UUID(int=chance.getrandbits(128))) for _ in range(10))
        kind = EventKind.SEARCHED if chance.random() < 0.6 else EventKind.VIEWED
        more = (
            {**fields, "hits": hits} if kind is EventKind.SEARCHED else {"entry_id": UUID(hits[0])}
        )
        events.append(Event(id=id_at(now), kind=kind, who=UUID(hits[1]), **more))
    return (
        b"[" + b",".join(one.model_dump_json(exclude_none=True).encode() for one in events) + b"]"
    )


def send(url: str, seed: int, count: int, rate: int, ready: Signal, go: Signal) -> None:
    """So many batches, at so many events a second; what a process of its own does."""
    chance, broker = random.Random(seed), producer_broker(url, "benchmark")
    bodies = [batch(chance) for _ in range(count)]
    ready.set()
    go.wait()
    start = time.perf_counter()
    for number, body in enumerate(bodies):
        time.sleep(max(0.0, start + number * BATCH_MAX / rate - time.perf_counter()))
        broker.enqueue(analytics.record.message({"events": orjson.Fragment(body)}))


class Sender:
    """Batches that wait in another process until they are to go."""

    def __init__(self, casebook: Instance, seed: int, count: int, rate: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        ready, self._go = spawn.Event(), spawn.Event()
        url = servers(casebook)["redis_url"]
        self._process = spawn.Process(target=send, args=(url, seed, count, rate, ready, self._go))
        self._process.start()
        ready.wait()

    def go(self) -> None:
        """Let them go."""
        self._go.set()

    def join(self) -> None:
        """Until they are sent."""
        self._process.join()


def servers(casebook: Instance) -> dict[str, str]:
    """The URLs of its PostgreSQL and Valkey."""
    found: dict[str, str] = orjson.loads((casebook.data / "endpoints.json").read_bytes())
    return found


def until(done: Callable[[], bool], limit: float = 120.0) -> None:
    """Return when it is, looked at every 20 ms. Raises: TimeoutError."""
    start = time.perf_counter()
    while not done():
        if time.perf_counter() - start > limit:
            raise TimeoutError(f"not done after {limit:.0f} s")
        time.sleep(0.02)


class Measured(NamedTuple):
    """A Casebook, its queues and its database."""

    casebook: Instance
    broker: StreamsBroker
    session: psycopg.Connection[tuple[int]]

    def recorded(self) -> None:
        """Return when all that was sent is recorded."""
        until(lambda: queues.state(self.broker, "analytics").unfinished == 0)

    def rolled_up(self) -> None:
        """Have everything counted; return when it is."""
        self.broker.enqueue(analytics.roll_up.message(RollUp()))
        waiting = f"select from event_batches where events = {BATCH_MAX} limit 1".encode()
        until(lambda: self.session.execute(waiting).fetchone() is None)

    def count(self) -> int:
        """Events in the database."""
        row = self.session.execute("select count(*) from events").fetchone()
        return row[0] if row else 0

    def search(self, texts: list[str], seconds: float, sender: Sender | None) -> list[float]:
        """Milliseconds of searches for so long, or beside events until they are rolled up."""
        ended = threading.Event()

        def beside() -> None:
            try:
                if sender is None:
                    time.sleep(seconds)
                    return
                sender.go()
                sender.join()
                self.recorded()
                self.rolled_up()
            finally:
                ended.set()

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(beside)
            times = search(self.casebook, texts, ended)
            done.result()
        return times


def measure_recording(casebook: Instance, rate: int, seconds: int) -> None:
    """Searches alone and beside events, in turns; then how fast events are taken up at most."""
    texts = corpus.queries(None)
    with TemporaryDirectory(prefix="benchmark-") as folder:
        file = Path(folder) / "made.ndjson.gz"
        corpus.make(file, ENTRIES)
        importing(casebook, file, "made").wait()
    found = servers(casebook)
    broker = producer_broker(found["redis_url"], "benchmark")
    count = seconds * rate // BATCH_MAX
    taken: dict[bool, list[float]] = {False: [], True: []}
    cpu: dict[bool, Used] = {False: Used(), True: Used()}
    with psycopg.connect(found["database_url"], autocommit=True) as session:
        house = Measured(casebook, broker, session)
        for number in range(2 * TURNS + 1):
            with_events = number % 2 == 1
            sender = Sender(casebook, number, count, rate) if with_events else None
            used, began = cpu_seconds(casebook), time.perf_counter()
            times = house.search(texts, seconds, sender)
            if number:  # the first is to warm up
                taken[with_events] += times
                used_up = cpu_seconds(casebook)
                used_up.subtract(used)
                used_up["seconds"] = time.perf_counter() - began
                cpu[with_events].update(used_up)
        _report(taken, cpu, rate, TURNS * count * BATCH_MAX)
        before, sender = house.count(), Sender(casebook, -1, FLOOD, 10**9)
        start = time.perf_counter()
        sender.go()
        sender.join()
        house.recorded()
        most = FLOOD * BATCH_MAX / (time.perf_counter() - start)
        kept = house.count() - before
    print(f"at full speed: {most:,.0f} events/s accepted by one worker process ({kept:,} kept)")


def _report(taken: dict[bool, list[float]], cpu: dict[bool, Used], rate: int, events: int) -> None:
    ratios = []
    for name, with_events in (("alone", False), (f"beside {rate:,} events/s", True)):
        times = taken[with_events]
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        ratios.append((p50, statistics.mean(times), p99))
        print(f"searches {name:22} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms ({len(times)} searches)")
    (p50, mean, p99), (p50_, mean_, p99_) = ratios
    print(f"as long as alone: p50 {p50_ / p50:.2f}, mean {mean_ / mean:.2f}, p99 {p99_ / p99:.2f}")
    # Beside events it took longer: what the same time costs without them is taken away.
    share = cpu[True].pop("seconds") / cpu[False].pop("seconds")
    each = {
        kind: 1e6 * (used - share * cpu[False][kind]) / events for kind, used in cpu[True].items()
    }
    told = ", ".join(f"{kind} {cost:.0f}" for kind, cost in each.items() if cost >= 1)
    print(f"CPU of an event, with its roll-ups, in microseconds: {told}")
