"""An import does not run away from the index: what is stored is to be found soon."""

import asyncio
import time
from collections.abc import Callable

from actors import index
from actors.broker.client import Client
from contracts.base import Nothing
from contracts.errors import CasebookError
from contracts.position import Position
from contracts.search import IndexStatus
from pipelines.ask import ask_for

LOOK = 1.0  # seconds between two looks at the index, and that one may take
CLOSE = 5.0  # seconds of indexing that may be left: up to here nothing waits
GUESS = 1_000.0  # changes a second that the index is taken to take until its first commit is seen
FIRST = 10.0  # seconds that its first commit may take
LOST = 30.0  # seconds: an index that stands still for so long after one is not waited for
SLOWEST = 2.0  # times as long as the index takes for them, rows wait at most


class Pace:
    """How long rows wait before they are sent.

    Not at all while the index has no more than CLOSE left; from there on ever longer, so that
    before twice that as much is stored as is indexed. Until its speed is known it is taken to be
    slow: in the seconds to its first commit a quick import would store too much, and end with it.
    An index that does not move (it is being built, or its indexer is down) holds nobody up for
    long: PostgreSQL has the rows.
    """

    def __init__(self) -> None:
        self._each = 0.0  # seconds that a row waits
        self._moved: tuple[float, int] | None = None  # when the index was at another place, which
        self._rate = 0.0  # changes that it takes in a second; 0 when unknown

    def look(self, now: float, place: int, behind: int) -> None:
        """At `now`, in seconds, the index was at this place of the feed, and so many changes are
        left."""
        before, at = self._moved or (now, place)
        if self._moved is None or place != at:
            self._moved = now, place
        if place > at:
            rate = (place - at) / (now - before)
            self._rate = (self._rate + rate) / 2 if self._rate else rate
        self._each, speed = 0.0, self._rate or GUESS
        if now - before < (LOST if self._rate else FIRST):
            over = (behind / speed - CLOSE) / CLOSE
            self._each = min(SLOWEST, max(0.0, over)) / speed

    def unknown(self) -> None:
        """Nobody says how far the index is."""
        self._each = 0.0

    def pause(self, rows: int) -> float:
        """Seconds to wait before so many rows are sent."""
        return rows * self._each


async def keep(client: Client, pace: Pace, behind: Callable[[int], None]) -> None:
    """Set the pace by the index that the workers search in, until it is cancelled.

    `behind` hears each time how many changes it has to go.
    """
    while True:
        await asyncio.sleep(LOOK)  # first of all: a short import needs none of this
        try:
            found = await ask_for(IndexStatus, client, index.status, Nothing(), timeout=LOOK)
            pace.look(time.monotonic(), Position.parse(found.position).seq, found.behind)
            behind(found.behind)
        except CasebookError:
            pace.unknown()
