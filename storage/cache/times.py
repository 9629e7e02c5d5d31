"""How long calls took, counted into a histogram."""

from bisect import bisect_left
from collections.abc import Sequence


class Times:
    """Calls by what they took; `bounds` are upper ones, in seconds, in their order.

    Not for several threads at once.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.seconds = 0.0
        self._bounds = (*bounds, float("inf"))
        self._calls = [0] * len(self._bounds)

    def count(self, seconds: float) -> None:
        """One more call."""
        self.seconds += seconds
        self._calls[bisect_left(self._bounds, seconds)] += 1

    def buckets(self) -> tuple[tuple[float, int], ...]:
        """(upper bound in seconds, calls up to it); the last bound is infinite."""
        found, calls = [], 0
        for bound, count in zip(self._bounds, self._calls, strict=True):
            calls += count
            found.append((bound, calls))
        return tuple(found)
