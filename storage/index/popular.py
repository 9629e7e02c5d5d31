"""What many ask for, found by its beginning."""

from bisect import bisect_left
from collections.abc import Sequence
from heapq import nsmallest

_LAST = "\U0010ffff"  # after every letter


class Popular:
    """Queries and how often each was asked; at most some thousands."""

    def __init__(self, queries: Sequence[tuple[str, int]] = ()) -> None:
        """Of `(query in its plain form, searches)`, in any order."""
        self._sorted = sorted(queries)

    def beginning(self, start: str, most: int) -> list[str]:
        """The most popular that begin with `start` and go on, the first one first."""
        low = bisect_left(self._sorted, (start,))
        high = bisect_left(self._sorted, (start + _LAST,), low)
        going_on = (one for one in self._sorted[low:high] if one[0] != start)
        return [query for query, _ in nsmallest(most, going_on, key=_rank)]


def _rank(one: tuple[str, int]) -> int:
    return -one[1]
