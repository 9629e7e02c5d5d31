"""A circuit breaker: what fails again and again is left alone for a while. No I/O of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Self

from contracts.errors import CircuitOpen, Unavailable


class State(StrEnum):
    """Closed lets everything through, open nothing, half-open one attempt: the probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Circuit(NamedTuple):
    """A breaker as of now."""

    name: str
    state: State
    openings: int  # since the process began; a probe that failed is not another one
    retry_after: float  # seconds until an attempt may be let through; 0 when one is now


class Breaker:
    """Opens after `failures` within `within` s, rests for `rest` s, then lets one probe through.

    The probe's success closes it, its failure opens it again. A probe that reports nothing for
    `rest` s counts as lost, and another is let through. Successes do not wipe out failures: what
    fails every second time is broken too. Usable from any thread and from asyncio: nothing waits.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        within: float = 60.0,
        rest: float = 30.0,
        refusal: type[Unavailable] = CircuitOpen,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._within = within
        self._rest = rest
        self._refusal = refusal
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failed: deque[float] = deque(maxlen=failures)
        self._until = 0.0  # nothing is let through before, unless closed
        self._period = 0  # each change begins another: reports about an earlier one come too late
        self._openings = 0

    def attempt(self, *faults: type[BaseException]) -> "Attempt":
        """Leave for one attempt, as a context manager or to be reported by its methods.

        Leaving the block by one of `faults` (default: any Exception) is a failure, leaving it
        well a success. Any other exception says nothing about what was tried.

        Raises: the breaker's refusal (CircuitOpen), with `circuit` and `retry_after` (s).
        """
        with self._lock:
            if self._state is not State.CLOSED:
                now = self._clock()
                if now < self._until:
                    left = round(self._until - now, 3)
                    raise self._refusal(circuit=self.name, retry_after=left)
                self._enter(State.HALF_OPEN, until=now + self._rest)
            return Attempt(self, self._period, faults or (Exception,))

    def unheard(self) -> "Attempt":
        """Leave for one attempt that teaches nothing, whatever the state."""
        return Attempt(self, -1, ())

    def circuit(self) -> Circuit:
        """As of now; open turns into half-open as soon as a probe would be let through."""
        with self._lock:
            left = 0.0 if self._state is State.CLOSED else max(0.0, self._until - self._clock())
            due = self._state is State.OPEN and not left
            state = State.HALF_OPEN if due else self._state
            return Circuit(self.name, state, self._openings, left)

    @property
    def state(self) -> State:
        """As of now."""
        return self.circuit().state

    def close(self) -> None:
        """It was seen to work, elsewhere: everything is let through again."""
        with self._lock:
            if self._state is not State.CLOSED:
                self._enter(State.CLOSED)

    def report(self, period: int, well: bool | None) -> None:
        """How an attempt of that period ended; None: nothing was learnt (see `Attempt`)."""
        with self._lock:
            if period != self._period:
                return
            now = self._clock()
            if self._state is State.HALF_OPEN:
                if well is None:
                    self._enter(State.HALF_OPEN, until=now)
                elif well:
                    self._enter(State.CLOSED)
                else:
                    self._enter(State.OPEN, until=now + self._rest)
            elif well is False:
                self._count(now)

    def _count(self, now: float) -> None:
        self._failed.append(now)
        full = len(self._failed) == self._failed.maxlen
        if full and now - self._failed[0] <= self._within:
            self._openings += 1
            self._enter(State.OPEN, until=now + self._rest)

    def _enter(self, state: State, until: float = 0.0) -> None:
        self._state, self._until = state, until
        self._period += 1
        self._failed.clear()


class Breakers:
    """Those of one process, by name; made by its root, which shows them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, Breaker] = {}

    def of(self, name: str, refusal: type[Unavailable] = CircuitOpen) -> Breaker:
        """The one of this name; names are few and not for strangers to choose."""
        with self._lock:
            found = self._all.get(name)
            if found is None:
                found = self._all[name] = Breaker(name, refusal=refusal)
            return found

    def circuits(self) -> list[Circuit]:
        """All of them as of now."""
        with self._lock:
            found = list(self._all.values())
        return [breaker.circuit() for breaker in found]


class Attempt:
    """Something that a breaker let through. Its first report counts, any later one does not."""

    __slots__ = ("_breaker", "_faults", "_period")

    def __init__(
        self, breaker: Breaker, period: int, faults: tuple[type[BaseException], ...]
    ) -> None:
        self._breaker: Breaker | None = breaker
        self._period = period
        self._faults = faults

    def succeeded(self) -> None:
        """What was tried works."""
        self._report(True)

    def failed(self) -> None:
        """What was tried does not work."""
        self._report(False)

    def abandoned(self) -> None:
        """Whether it works is not known; a probe's turn goes to whoever comes next."""
        self._report(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._report(True)
        else:
            self._report(False if issubclass(kind, self._faults) else None)

    def _report(self, well: bool | None) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker.report(self._period, well)
