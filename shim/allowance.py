"""How much one caller may send: so many a second, and what was saved up in ten."""

import time
from collections.abc import Callable

from cachetools import LRUCache

SAVED = 10  # seconds of the rate that a caller who was silent may send at once
CALLERS = 10_000


class Allowance:
    """A token bucket for each caller, in this process."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._left: LRUCache[str, tuple[float, float]] = LRUCache(CALLERS)

    def take(self, caller: str, count: int) -> bool:
        """Whether the caller may send `count` more now; if not, nothing is used up."""
        now, most = self._clock(), float(self.rate * SAVED)
        left, at = self._left.get(caller, (most, now))
        left = min(most, left + (now - at) * self.rate)
        enough = left >= count
        self._left[caller] = (left - count if enough else left, now)
        return enough
