"""Who may ask now: a request that would only wait is refused before anything is done for it.

Of one process and one event loop, without a word to Redis. Workers tell with each reply how long
its request waited; the rest is counting (docs/decisions/0023-overload.md).
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

from actors.broker.limit import Limit
from contracts.errors import Overloaded
from contracts.operation import doing

#: Seconds that a request may wait in its queue when very many come (limit.py). Queues that are
#: not here have senders who know when to stop (imports), or nobody who waits.
TARGETS: Mapping[str, float] = {
    "search": 0.05,
    "reads": 0.05,
    "semantic": 0.1,
    "entries": 0.1,
    "operators": 0.2,
}
STRANGER = "(unknown key)"  # all those whose key is not known yet, as one
HALVED = 1.0  # seconds in which what somebody has had counts half
FORGOTTEN = 0.5  # requests: who has had less and waits for none is not counted among the callers
ROOM = 4  # who has had the mean finds the house full when all but a fourth of the places are taken
AGAIN = 30  # seconds: the longest that anyone is sent away for


@dataclass
class Load:
    """A queue as this process sees it."""

    limit: int
    in_flight: int
    delay: float  # seconds that requests wait at least
    admitted: int
    refused: dict[str, int]  # by reason
    refused_lately: float  # in the last seconds, the older the less


_coming: ContextVar["Coming | None"] = ContextVar("coming", default=None)


def arrived() -> None:
    """This task's request has a place by now, or needs none: another's answer will do."""
    coming = _coming.get()
    if coming is not None:
        coming.over()


class Admission:
    """The gates of all queues that have one."""

    def __init__(
        self,
        targets: Mapping[str, float] = TARGETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gates = {queue: Gate(queue, target, clock) for queue, target in targets.items()}

    def enter(self, queue: str) -> "Place | None":
        """A place among those who wait for this queue; None where no place is needed: the queue
        has no gate, or the process asks for itself, for nobody who called.

        Raises: Overloaded.
        """
        gate, by = self._gates.get(queue), doing().by
        return gate.enter(by) if gate is not None and by else None

    def expect(self, queue: str, by: str) -> "Coming | None":
        """Word of a request of this task that may want a place later; None where it needs none.

        Raises: Overloaded when it would be refused now, those reckoned with who are on their way.
        """
        gate = self._gates.get(queue)
        if gate is None:
            return None
        refusal = gate.refusal(by, gate.coming)
        if refusal is not None:
            raise refusal
        coming = Coming(gate, by)
        _coming.set(coming)
        return coming

    def loads(self) -> dict[str, Load]:
        """Every queue that was asked for since the process began."""
        return {name: gate.load() for name, gate in self._gates.items() if gate.used}


class Gate:
    """One queue: its limit, and who holds how many places."""

    def __init__(self, queue: str, target: float, clock: Callable[[], float]) -> None:
        self.limit = Limit(target, clock)
        self.admitted = 0
        self.refused = Counter[str]()
        self.in_flight = 0
        self.coming = 0  # let in at the door, and not here yet
        self._queue = queue
        self._clock = clock
        self._held = Counter[str]()
        self._coming = Counter[str]()
        self._had: dict[str, float] = {}  # requests admitted, the older the less
        self._had_all = 0.0
        self._refused_lately = 0.0
        self._halved = clock()

    @property
    def used(self) -> bool:
        """Whether anyone has ever come."""
        return bool(self.admitted or self.refused)

    def enter(self, by: str) -> "Place":
        """A place. Raises: Overloaded."""
        arrived()
        refusal = self.refusal(by)
        if refusal is not None:
            raise refusal
        self.in_flight += 1
        self.admitted += 1
        self._held[by] += 1
        self._had[by] = self._had.get(by, 0.0) + 1
        self._had_all += 1
        return Place(self, by)

    def refusal(self, by: str, before: int = 0) -> Overloaded | None:
        """Why `by` may not enter now, with `before` others who come first.

        The more a caller has had, measured by the mean of all, the earlier the house is full for
        it: so who asks little still finds room where others have long been refused.
        """
        taken = self.in_flight + before
        if taken < self.limit.size / 2:
            return None  # whoever comes
        self._age()
        share = self._share(by)
        if taken < max(1.0, self.limit.size * (1 - min(2.0, share) / ROOM)):
            return None
        self.limit.wanted()
        self._refused_lately += 1
        self.refused["full" if taken >= self.limit.size else "share"] += 1
        return Overloaded(
            queue=self._queue,
            waiting=self.in_flight + self.coming,
            delay_ms=round(self.limit.delay * 1000),
            retry_after=self._again(share),
        )

    def comes(self, by: str) -> None:
        """Somebody was let in at the door. Who that is may not be known before the key is looked
        up: a lone caller would be two, and the one that has more."""
        self.coming += 1
        if by != STRANGER:
            self._coming[by] += 1

    def came(self, by: str) -> None:
        """They are here, or will not come."""
        self.coming -= 1
        if by in self._coming:
            self._coming[by] -= 1
            if not self._coming[by]:
                del self._coming[by]

    def left(self, by: str) -> None:
        """One of its places is free."""
        self.in_flight -= 1
        self._held[by] -= 1
        if not self._held[by]:
            del self._held[by]

    def load(self) -> Load:
        """As of now."""
        self._age()
        return Load(
            limit=int(self.limit.size),
            in_flight=self.in_flight,
            delay=self.limit.delay,
            admitted=self.admitted,
            refused=dict(self.refused),
            refused_lately=self._refused_lately,
        )

    def _share(self, by: str) -> float:
        """What `by` has, had lately and is about to have, as a multiple of what callers do in the
        mean."""
        everyone = self._had_all + self.in_flight + self.coming
        own, callers = self._had.get(by, 0.0) + self._held[by], len(self._had)
        if self._coming:
            own, callers = own + self._coming[by], len(self._had.keys() | self._coming.keys())
        return own * callers / everyone if everyone else 0.0

    def _again(self, share: float) -> int:
        """Seconds to stay away: drawn from as many as it takes to answer those who were refused;
        one for who has less than others."""
        if share < 1:
            return 1
        # A gate that is new has let few in, and is no slower for that.
        pressure = self._refused_lately / (self._had_all + self.limit.size)
        return 1 + int(random.random() * min(AGAIN, pressure + 1))

    def _age(self) -> None:
        now = self._clock()
        periods = int((now - self._halved) / HALVED)
        if periods < 1:
            return
        self._halved += periods * HALVED
        factor = 0.5 ** min(periods, 60)
        aged = ((by, had * factor) for by, had in self._had.items())
        self._had = {by: had for by, had in aged if had >= FORGOTTEN or by in self._held}
        self._had_all = sum(self._had.values())
        self._refused_lately *= factor


class Coming:
    """A request on its way to a gate. What it does before (asking the warm cache) takes turns of
    the event loop, in which a whole flood would pass the door."""

    __slots__ = ("_by", "_gate")

    def __init__(self, gate: Gate, by: str) -> None:
        self._gate: Gate | None = gate
        self._by = by
        gate.comes(by)

    def over(self) -> None:
        """It is at the gate, or will not come."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.came(self._by)


class Place:
    """Held while a request is unanswered: `with place: ...`."""

    __slots__ = ("_by", "_gate")

    def __init__(self, gate: Gate, by: str) -> None:
        self._gate = gate
        self._by = by

    def heard(self, waited: float) -> None:
        """The answer came, or none did: so many seconds its request has waited for a worker."""
        self._gate.limit.heard(waited)

    def __enter__(self) -> "Place":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.left(self._by)
