"""Two processes that keep one schedule, and what may be said of its ticks."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import psycopg

from tests.faults.storm.faults import Fault, Field
from tests.faults.storm.house import HEARTBEAT, PATIENCE, House
from tests.faults.storm.journal import Entry, Round
from tests.faults.storm.ticking import EVERY
from tests.support.casebook import ROOT

GRID = EVERY.total_seconds() * 1000  # ms
LATE = 5.0  # seconds after which a schedule that is silent counts as stopped


class Schedule:
    """`with Schedule(house):` both run; a killed one is started again by `keep`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.processes: list[subprocess.Popen[bytes]] = []
        self._seen: Counter[str] = Counter()

    def __enter__(self) -> "Schedule":
        with psycopg.connect(self._house.postgres.url) as session:
            session.execute("create table storm_ticks (id text, at timestamptz default now())")
        self.processes += [self._start(), self._start()]
        self._house.guests = self.processes
        deadline = time.monotonic() + PATIENCE
        while not self._ids():
            assert time.monotonic() < deadline, "no tick came"
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def keep(self) -> None:
        """Start again what has ended."""
        for place, process in enumerate(self.processes):
            if process.poll() is not None:
                self.processes[place] = self._start()

    def differences(self, round_: Round) -> Iterator[str]:
        """Ticks off the grid, run twice though no process died, or none at all."""
        deadline = time.monotonic() + LATE
        ids = self._ids()
        while len(ids) == self._seen.total() and time.monotonic() < deadline:
            time.sleep(0.1)
            ids = self._ids()
        new = Counter(ids) - self._seen
        self._seen = Counter(ids)
        if not new:
            yield f"the schedule has been silent for {LATE:g} s and more"
        for name in new:
            if int(name.rpartition(":")[2]) % GRID:
                yield f"{name} is no tick of the schedule"
        again = [name for name in new if self._seen[name] > 1]
        # A death under a run, or one of PostgreSQL between a commit and its answer.
        excuses = sum(one.kind in KINDS or "PostgreSQL" in one.kind for one in round_.faults)
        excuses += sum("everything" in one.kind for one in round_.faults)
        if len(again) > excuses:
            yield f"{again} ran twice, with {excuses} reasons"

    def missing(self, seconds: float) -> Iterator[str]:
        """Fewer ticks than nine of ten in a time without faults."""
        found = len(self._seen)
        if found < 0.9 * seconds / EVERY.total_seconds() - 1:
            yield f"{found} ticks in {seconds:.1f} calm seconds"

    def _ids(self) -> list[str]:
        with psycopg.connect(self._house.postgres.url) as session:
            return [row[0] for row in session.execute("select id from storm_ticks")]

    def _start(self) -> "subprocess.Popen[bytes]":
        house = self._house
        urls = (house.redis_url, house.postgres.url)
        command = [sys.executable, "-m", "tests.faults.storm.ticking", *urls, str(HEARTBEAT)]
        return subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


def _kill(field: Field, entry: Entry) -> None:
    place = int(field.chance.random() * 2)
    victim = field.schedule.processes[place]
    victim.kill()
    victim.wait()
    field.schedule.keep()
    entry.kills, entry.deaths, entry.target = 1, 1, f"scheduler {victim.pid}"


def _step(field: Field, entry: Entry) -> None:
    place, ahead = int(field.chance.random() * 2), field.chance.random() < 0.5
    victim = field.schedule.processes[place]
    victim.send_signal(signal.SIGUSR1 if ahead else signal.SIGUSR2)
    entry.target = f"scheduler {victim.pid}, an hour {'ahead' if ahead else 'behind'}"


SCHEDULERS = (
    Fault("kill -9 scheduler", _kill),
    Fault("the clock of a scheduler steps an hour", _step),
)
KINDS = {fault.kind for fault in SCHEDULERS}
