"""What recording events costs: searches alone and beside 10,000 events a second, in turns.

Part of `python -m benchmarks.analytics`. Batches of 500 come as the shim sends them, from a process
of their own, to one worker process (the importer); roll-ups run meanwhile, once a minute. Twenty
searches a second are asked for, each computed anew.
"""

import itertools
import multiprocessing
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID

import httpx
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
TURNS = 12  # with events, each between two without
ENTRIES = 20_000  # that are searched
WORDS = 4_000  # different queries of the events that are sent
FLOOD = 200  # batches that are sent at once
LIMIT = 120.0  # seconds


def batch(chance: random.Random, entries: Sequence[str]) -> bytes:
    """A batch of 500 events of this moment: searches with ten hits, and what follows from them.

    A few queries are asked most, and each finds the same entries whenever it is asked.
    """
    now, events = datetime.now(UTC), []
    for _ in range(BATCH_MAX):
        number = int(chance.paretovariate(0.9)) % WORDS
        text = f"query number {number}"
        hits = tuple(entries[(17 * number + rank) % len(entries)] for rank in range(10))
        more: dict[str, Any] = {"entry_id": UUID(chance.choice(hits))}
        kind = EventKind.SEARCHED if chance.random() < 0.6 else EventKind.VIEWED
        if kind is EventKind.SEARCHED:
            more = {"query": text, "normalised": text, "total": 40, "took_ms": 3.5, "hits": hits}
        who = UUID(int=chance.getrandbits(128))
        events.append(Event(id=id_at(now), kind=kind, who=who, **more))
    return (
        b"[" + b",".join(one.model_dump_json(exclude_none=True).encode() for one in events) + b"]"
    )


def send(urls: dict[str, str], seed: int, count: int, rate: int, ready: Signal, go: Signal) -> None:
    """So many batches, at so many events a second; what a process of its own does."""
    chance, broker = random.Random(seed), producer_broker(urls["redis_url"], "benchmark")
    with psycopg.connect(urls["database_url"]) as session:
        entries = [str(one) for (one,) in session.execute("select id from entries order by id")]
    bodies = [batch(chance, entries) for _ in range(count)]
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
        args = (servers(casebook), seed, count, rate, ready, self._go)
        self._process = spawn.Process(target=send, args=args)
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


def until(done: Callable[[], bool], pause: float = 0.02) -> None:
    """Return when it is, looked at every `pause` s. Raises: TimeoutError."""
    start = time.perf_counter()
    while not done():
        if time.perf_counter() - start > LIMIT:
            raise TimeoutError(f"not done after {LIMIT:.0f} s")
        time.sleep(pause)


class Turn(NamedTuple):
    """Milliseconds of each search, what the Casebook used meanwhile, and how long it took (s)."""

    times: list[float]
    cpu: Used
    seconds: float


@dataclass(frozen=True)
class Measured:
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

    def indexed(self) -> bool:
        """Whether the index has heard of what was counted."""
        headers = {"Authorization": f"Bearer {self.casebook.key}"}
        ready = httpx.get(f"{self.casebook.url}/readyz", headers=headers).json()
        return not ready["checks"]["index"]["facts"]["behind"]

    def count(self) -> int:
        """Events in the database."""
        row = self.session.execute("select count(*) from events").fetchone()
        return row[0] if row else 0

    def turn(self, texts: list[str], seconds: float, sender: Sender | None) -> Turn:
        """Searches for so long, or beside events until they are rolled up and the index knows."""
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
                until(self.indexed, pause=0.25)
            finally:
                ended.set()

        used, began = cpu_seconds(self.casebook), time.perf_counter()
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(beside)
            times = search(self.casebook, texts, ended)
            done.result()
        used_up = cpu_seconds(self.casebook)
        used_up.subtract(used)
        return Turn(times, used_up, time.perf_counter() - began)


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
    turns: list[Turn] = []
    with psycopg.connect(found["database_url"], autocommit=True) as session:
        house = Measured(casebook, broker, session)
        for number in range(2 * TURNS + 2):
            sender = Sender(casebook, number, count, rate) if number % 2 == 0 else None
            turns.append(house.turn(texts, seconds, sender))
        # The first is to warm up; what follows begins and ends alone.
        _report(turns[1:], rate, TURNS * count * BATCH_MAX)
        before, sender = house.count(), Sender(casebook, -1, FLOOD, 10**9)
        start = time.perf_counter()
        sender.go()
        sender.join()
        house.recorded()
        most = FLOOD * BATCH_MAX / (time.perf_counter() - start)
        kept = house.count() - before
    print(f"at full speed: {most:,.0f} events/s accepted by one worker process ({kept:,} kept)")


def _report(turns: list[Turn], rate: int, events: int) -> None:
    alone, beside = turns[::2], turns[1::2]
    for name, some in (("alone", alone), (f"beside {rate:,} events/s", beside)):
        times = [time for turn in some for time in turn.times]
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(f"searches {name:22} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms ({len(times)} searches)")
    for name, of in (("p50", statistics.median), ("mean", statistics.mean)):
        # What else the machine does changes over minutes: a turn is held against its neighbours.
        ratios = [
            of(turn.times) / of(before.times + after.times)
            for (before, after), turn in zip(itertools.pairwise(alone), beside, strict=True)
        ]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{name:4} of that alone: {middle:.2f} (half of the turns {low:.2f} to {high:.2f})")
    # Beside events it took longer: what the same time costs without them is taken away.
    share = sum(one.seconds for one in beside) / sum(one.seconds for one in alone)
    used, idle = _sum(beside), _sum(alone)
    each = {kind: 1e6 * (cost - share * idle[kind]) / events for kind, cost in used.items()}
    told = ", ".join(f"{kind} {cost:.0f}" for kind, cost in each.items() if cost >= 1)
    print(f"CPU of an event, with its roll-ups, in microseconds: {told}")


def _sum(turns: list[Turn]) -> Used:
    total = Used()
    for turn in turns:
        total.update(turn.cpu)
    return total
