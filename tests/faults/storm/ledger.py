"""What was asked of the system and what it promised; the oracle compares it with what is there."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Kept:
    """An entry whose creation was acknowledged, and its acknowledged updates in order."""

    entry_id: str
    title: str
    texts: list[str] = field(default_factory=list)
    deleted: bool = False


@dataclass
class Row:
    """An imported row: the text it has now, and how many texts it has had."""

    text: str
    version: int = 1


class Ledger:
    """Written by the threads of the load, read by the oracle while they rest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries: dict[str, Kept] = {}  # by title, which no two share
        self.promised: set[str] = set()  # titles of creations that nobody asks for again
        self.perhaps: set[str] = set()  # titles of creations that may have reached the queue
        self.refused: set[str] = set()  # titles of writes that were refused for good
        self.rows: dict[tuple[str, str], Row] = {}  # by (source, external id)
        self.imports: dict[str, dict[str, int]] = {}  # id → the counts that its report must have
        self.keys: set[str] = set()  # idempotency keys of acknowledged writes
        self.answers: Counter[str] = Counter()  # "search 200", "write 503 QUEUE_FULL", ...
        self.acknowledged: list[float] = []  # monotonic times of acknowledged writes
        self.wrong: list[str] = []  # what no answer may be

    def keep(self, kept: Kept, key: str) -> None:
        """A creation was acknowledged."""
        with self._lock:
            self.entries[kept.title] = kept
        self.acknowledge(key)

    def acknowledge(self, key: str) -> None:
        """A write was acknowledged."""
        with self._lock:
            self.keys.add(key)
            self.acknowledged.append(time.monotonic())

    def promise(self, title: str, *, surely: bool = True) -> None:
        """A creation is in the queue, or `surely` or not, and nobody asks again."""
        with self._lock:
            (self.promised if surely else self.perhaps).add(title)

    def refuse(self, title: str) -> None:
        """A write with this title was refused for good: nothing of it may be stored."""
        with self._lock:
            self.refused.add(title)

    def count(self, what: str) -> None:
        """An answer came."""
        with self._lock:
            self.answers[what] += 1

    def complain(self, what: str) -> None:
        """An answer came that must not be."""
        with self._lock:
            self.wrong.append(what)

    def first_after(self, moment: float) -> float | None:
        """Seconds from `moment` to the first write acknowledged after it; None if none was."""
        with self._lock:
            later = (at for at in self.acknowledged if at >= moment)
            first = min(later, default=None)
        return None if first is None else first - moment

    def finish(self, import_id: str, counts: dict[str, int], rows: dict[Any, Row]) -> None:
        """An import was reported complete."""
        with self._lock:
            self.imports[import_id] = counts
            self.rows.update(rows)
