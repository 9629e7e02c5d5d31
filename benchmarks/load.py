"""The two loads every peer is put under, for thread-based and asyncio clients alike."""

import asyncio
import os
import statistics
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ANSWER_WITHIN = 15
"""Seconds a client waits for one answer; its first request waits for the worker to come up."""

IDLE_REQUESTS = 20
IDLE_WARM_UP = 3  # requests
# Seconds of quiet before each request. Counted from the last answer, so that a slow peer's
# queue has been idle for as long as a fast one's.
IDLE_GAP = 0.3

WAITING = 64  # requests kept outstanding
WAITING_WARM_UP = 1.0  # seconds
WAITING_FOR = 3.0  # seconds

AsyncCall: TypeAlias = Callable[[], Awaitable[None]]
"""One round trip in asyncio: awaited by 64 tasks of one event loop at once."""


@dataclass(frozen=True)
class Threads:
    """A thread-based client's round trip, in its two halves."""

    send: Callable[[], Callable[[], None]]
    """Enqueue a no-op; returns what waits for its result. Called from all threads at once."""

    count: int
    """How many threads share the 64 requests; a divisor of 64.

    Each keeps its share outstanding and collects the oldest answer first. A thread for every
    request costs some clients a third of their throughput in contention for the interpreter.
    """


COUNT, DONE = "BENCHMARK_COUNT", "BENCHMARK_DONE"
"""Environment variables of a worker that drains: how many no-ops, and the file for the seconds."""


class Meter:
    """Knows when the first and the last of `count` no-ops ran, and writes the seconds to `done`."""

    def __init__(self, count: int, done: Path) -> None:
        self._left, self._done = count, done
        self._lock = threading.Lock()
        self._first = 0.0

    def tick(self) -> None:
        """One ran."""
        with self._lock:
            self._first = self._first or time.perf_counter()
            self._left -= 1
            if self._left == 0:
                self._done.write_text(str(time.perf_counter() - self._first))


_meter = Meter(int(os.environ[COUNT]), Path(os.environ[DONE])) if COUNT in os.environ else None


def ran() -> None:
    """Every peer's no-op calls this: in a drain it counts."""
    if _meter is not None:
        _meter.tick()


Client: TypeAlias = AbstractContextManager[Threads] | AbstractAsyncContextManager[AsyncCall]
"""A client to connect by entering it; its kind says whether threads or tasks use it."""


@dataclass(frozen=True)
class Figures:
    """What one run measured."""

    idle_p50_ms: float
    """Median round trip through an idle queue."""
    idle_p95_ms: float
    """95th percentile of the same."""
    waiting64_per_s: float
    """Round trips per second with 64 requests outstanding."""


def measure(client: Client) -> Figures:
    """Put one client under both loads, idle first; its worker may still be coming up."""
    if isinstance(client, AbstractAsyncContextManager):
        return asyncio.run(_measure_tasks(client))
    with client as threads:
        return _figures(_idle_thread(threads), _waiting_threads(threads))


async def _measure_tasks(client: AbstractAsyncContextManager[AsyncCall]) -> Figures:
    async with client as call:
        return _figures(await _idle_task(call), await _waiting_tasks(call))


def _figures(idle: list[float], per_second: float) -> Figures:
    """Sum up the seconds of each idle request, warm-up included, and the rate."""
    measured = [seconds * 1000 for seconds in idle[IDLE_WARM_UP:]]
    twentieths = statistics.quantiles(measured, n=20, method="inclusive")
    return Figures(statistics.median(measured), twentieths[-1], per_second)


def _idle_thread(threads: Threads) -> list[float]:
    taken = []
    for _ in range(IDLE_WARM_UP + IDLE_REQUESTS):
        time.sleep(IDLE_GAP)
        start = time.perf_counter()
        threads.send()()
        taken.append(time.perf_counter() - start)
    return taken


async def _idle_task(call: AsyncCall) -> list[float]:
    taken = []
    for _ in range(IDLE_WARM_UP + IDLE_REQUESTS):
        await asyncio.sleep(IDLE_GAP)
        start = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - start)
    return taken


class _Meter:
    """Counts round trips between `start` and `stop`."""

    def __init__(self) -> None:
        # A cell for each caller, so that threads need no lock to count.
        self.cells = [0] * WAITING
        self.stopped = False

    def start(self) -> None:
        self._count, self._time = sum(self.cells), time.perf_counter()

    def stop(self) -> float:
        """Tell the callers to end; returns the round trips per second since `start`."""
        self.stopped = True
        return (sum(self.cells) - self._count) / (time.perf_counter() - self._time)


def _waiting_threads(threads: Threads) -> float:
    meter = _Meter()

    def caller(cell: int) -> None:
        window = deque(threads.send() for _ in range(WAITING // threads.count))
        while not meter.stopped:
            window.popleft()()
            meter.cells[cell] += 1
            window.append(threads.send())
        for wait in window:
            wait()

    with ThreadPoolExecutor(threads.count) as pool:
        callers = [pool.submit(caller, cell) for cell in range(threads.count)]
        time.sleep(WAITING_WARM_UP)
        meter.start()
        time.sleep(WAITING_FOR)
        rate = meter.stop()
    for ended in callers:
        ended.result()  # raises what the caller raised
    return rate


async def _waiting_tasks(call: AsyncCall) -> float:
    meter = _Meter()

    async def caller(cell: int) -> None:
        while not meter.stopped:
            await call()
            meter.cells[cell] += 1

    async with asyncio.TaskGroup() as group:
        for cell in range(WAITING):
            group.create_task(caller(cell))
        await asyncio.sleep(WAITING_WARM_UP)
        meter.start()
        await asyncio.sleep(WAITING_FOR)
        return meter.stop()
