"""One seed: a fresh Casebook, rounds of load and faults, the oracle after each."""

import random
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from settings import Settings
from tests.faults.storm import faults, outages, remains
from tests.faults.storm.faults import Fault, Field
from tests.faults.storm.gate import Gate
from tests.faults.storm.house import House
from tests.faults.storm.importer import Importer
from tests.faults.storm.journal import Entry, Round
from tests.faults.storm.ledger import Ledger
from tests.faults.storm.oracle import Stored, compare
from tests.faults.storm.schedule import SCHEDULERS, Schedule
from tests.faults.storm.writers import Searcher, Writer

SETTLE = 60.0  # seconds in which everything has settled once nothing more is asked
CALM = 2.0  # seconds of load without faults, for the base line
LAST = 1.0  # seconds of load after the last fault
PAUSES = 0.1, 0.8  # seconds: shortest and longest between two faults

Say = Callable[[str], None]

#: What a round is about: its faults, and how many are drawn.
THEMES: dict[str, tuple[Sequence[Fault], int]] = {
    "kills": (faults.KILLS, 14),
    "silence": ((faults.PAUSE, *faults.KILLS[:3]), 6),
    "supervisor": ((*faults.WHOLE, *faults.KILLS[:4]), 6),
    "servers": (faults.SERVERS, 6),
    "schedule": ((*SCHEDULERS, faults.SERVERS[0]), 6),
    "cache": ((*faults.CACHE, faults.KILLS[3]), 8),
    # No consumer dies in these four: nothing may be claimed.
    "cuts": (outages.CUTS, 9),
    "pauses": (faults.PAUSES, 4),
    "outages": (outages.OUTAGES, 3),
    "disks": (outages.DISKS, 2),
    "everything": (
        (*faults.KILLS, *faults.SERVERS, *faults.CACHE, *outages.CUTS, *outages.OUTAGES),
        8,
    ),
}
KINDS = [fault.kind for theme in list(THEMES.values())[:-1] for fault in theme[0]]
KINDS = [*dict.fromkeys(KINDS)]


class Storm:
    """Runs the rounds of one seed; `failed` says whether one differed from what was promised."""

    def __init__(self, seed: int, themes: Sequence[str], *, disks: bool, say: Say) -> None:
        self.seed, self._say = seed, say
        self.ledger = Ledger()
        self.rounds: list[Round] = []
        self.folder = Path(tempfile.mkdtemp(prefix=f"storm-{seed}-"))
        # Every third seed runs as most people run it: all servers below the supervisor.
        self.house = House(self.folder, embedded=seed % 3 == 0, disks=disks)
        self._disks = disks
        self._gate = Gate()
        self._field = Field(self.house, self.ledger, random.Random(seed))
        self._themes = self._order(themes)
        self._seen: set[str] = set()
        self._base: dict[str, int] = {}

    @property
    def failed(self) -> bool:
        """Whether a round differed from what was promised."""
        return any(round_.failed for round_ in self.rounds)

    def run(self, more: Callable[[int], bool]) -> None:
        """Rounds while `more(rounds done)`, until one fails. Stops all that it started."""
        try:
            with self.house, Schedule(self.house) as self._field.schedule:
                try:
                    self._rounds(more)
                finally:
                    self._keep()
        finally:
            if not self.failed:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _rounds(self, more: Callable[[int], bool]) -> None:
        node = Settings.load({}, find_servers=False).node
        callers: list[threading.Thread] = [
            *(
                Writer(f"writer{n}", self.house.casebook, self.ledger, self._gate, self.seed)
                for n in range(3)
            ),
            Searcher("searcher", self.house.casebook, self.ledger, self._gate, self.seed),
            Importer(self.house.redis_url, node, self.ledger, self._gate, self.seed),
        ]
        for caller in callers:
            caller.start()
        try:
            self._round(Round(0, "calm"), ())
            self._base = remains.footprint(self.house)
            while not self.failed and more(len(self.rounds) - 1):
                theme = next(self._themes)
                self._round(Round(len(self.rounds), theme), self._draw(theme))
        finally:
            self._gate.end()
            for caller in callers:
                caller.join(LAST)

    def _order(self, themes: Sequence[str]) -> Iterator[str]:
        """Themes in an order of the seed's own, each before any comes again."""
        chance = random.Random(f"{self.seed} themes")
        names = [name for name in themes if any(map(self._possible, THEMES[name][0]))]
        while True:
            yield from chance.sample(names, len(names))

    def _possible(self, fault: Fault) -> bool:
        return {"proxies": not self.house.embedded, "disks": self._disks, "": True}[fault.needs]

    def _draw(self, theme: str) -> list[Fault]:
        found, count = THEMES[theme]
        possible = [fault for fault in found if self._possible(fault)]
        # Each once, in any order; then whichever comes.
        chance = self._field.chance
        drawn = chance.sample(possible, min(len(possible), count))
        drawn += chance.choices(possible, k=count - len(drawn))
        return drawn

    def _round(self, round_: Round, drawn: Sequence[Fault]) -> None:
        self.rounds.append(round_)
        logs = remains.Logs.now(self.house)
        self._gate.open()
        time.sleep(LAST if drawn else CALM)
        try:
            self._strike(round_, drawn)
            self._settle(round_)
            self._judge(round_, logs)
        except Exception:
            round_.others.append(traceback.format_exc())
        self._recoveries(round_)
        self._tell(round_)

    def _recoveries(self, round_: Round) -> None:
        """Where another fault struck before the next write, that one has the waiting."""
        next_began = float("inf")
        for entry in reversed(round_.faults):
            waited = self.ledger.first_after(entry.over)
            if waited is not None and entry.over + waited <= next_began:
                entry.recovery = waited
            next_began = entry.began

    def _strike(self, round_: Round, drawn: Sequence[Fault]) -> None:
        for fault in drawn:
            entry = Entry(fault.kind, time.monotonic())
            round_.faults.append(entry)
            try:
                fault.strike(self._field, entry)
            finally:
                entry.over = time.monotonic()
            time.sleep(self._field.chance.uniform(*PAUSES))
        time.sleep(LAST)

    def _settle(self, round_: Round) -> None:
        """Wait until nothing is asked and nothing is on its way; what still is, is told."""
        began = time.monotonic()
        if not self._gate.shut(SETTLE):
            round_.others.append(f"some request had no end within {SETTLE:g} s")
        while self._field.visitors:
            self._field.visitors.pop().finish()
        deadline = time.monotonic() + SETTLE
        while left := self._left():
            if time.monotonic() > deadline:
                round_.others += [f"not settled within {SETTLE:g} s: {one}" for one in left]
                break
            time.sleep(0.1)
        round_.settled = time.monotonic() - began

    def _left(self) -> list[str]:
        try:
            left = list(remains.unsettled(self.house))
            if not left and self._base:
                left = list(remains.leaks(self._base, remains.footprint(self.house)))
        except (OSError, RuntimeError, ValueError, ConnectionError) as error:
            return [f"{type(error).__name__}: {error}"]  # a server is still coming up
        return left

    def _judge(self, round_: Round, logs: remains.Logs) -> None:
        compare(Stored(self.house), self.ledger, round_)
        round_.others += self.ledger.wrong
        round_.others += self._field.schedule.differences(round_)
        if not round_.faults:
            round_.others += self._field.schedule.missing(CALM)
        round_.others += remains.verified(self.house)
        round_.others += remains.dead_letters(self.house, round_, self._seen)
        claimed = logs.claimed()
        if claimed and not any(fault.deaths for fault in round_.faults):
            round_.others.append(f"{claimed} messages were claimed, and no consumer was dead")

    def _tell(self, round_: Round) -> None:
        self._say(
            f"seed {self.seed} round {round_.number} {round_.theme}: {len(round_.faults)} faults, "
            f"{len(self.ledger.acknowledged):,} writes so far, settled in {round_.settled:.1f} s"
        )
        if round_.failed:
            self._say("\n".join(round_.lines))
            for one in (*round_.losses, *round_.doubles, *round_.others):
                self._say(f"  WRONG {one}")
            self._say(f"  the folder is kept: {self.folder}")

    def _keep(self) -> None:
        """What lies on disks of the harness's own goes with it: keep a copy where it matters."""
        for disk in (self.house.index_disk, self.house.aof_disk):
            if self.failed and disk:
                shutil.copytree(disk.folder, self.folder / "kept" / disk.folder.name)
