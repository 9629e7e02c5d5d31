"""How many requests of a queue may be unanswered at once, by how long the last ones waited in it.

A queue that is empty from time to time is a good one: it smooths bursts. One that never gets empty
helps nobody: every request waits, and no more are answered. So the least wait of an interval tells
(Nichols and Jacobson's CoDel), and the limit follows it up and down as TCP's window does (AIMD).
"""

import time
from collections.abc import Callable

FEWEST, MOST = 4, 4000
FEW = 96  # as many wait longer, rather than be refused: a team's clients, not a flood
LONGER = 10  # times
INTERVAL = 0.1  # seconds between two looks
SHRINK, GROW = 0.9, 1.05  # factors, of one look
LOST = 0.5  # the factor where no answer came in time


class Limit:
    """`size` is how many may be unanswered; `delay` the least wait (s) of the last interval."""

    def __init__(self, target: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = float(FEW)
        self.delay = 0.0
        self._target = target  # seconds that the least wait may be, where many wait
        self._clock = clock
        self._began = clock()
        self._least: float | None = None
        self._wanted = False
        self._halved = self._began

    def wanted(self) -> None:
        """More would have come than the limit allows."""
        self._wanted = True

    def answered(self, waited: float) -> None:
        """An answer came, to a request that waited so many seconds until it was begun."""
        if self._least is None or waited < self._least:
            self._least = waited
        now = self._clock()
        if now - self._began >= INTERVAL:
            self._judge(self._least)
            self._began = now

    def lost(self) -> None:
        """No answer came in time. What was lost together counts once."""
        now = self._clock()
        if now - self._halved >= INTERVAL:
            self._halved = now
            self.size = max(FEWEST, self.size * LOST)

    def _judge(self, least: float) -> None:
        self.delay = least
        if least > self._target * (1 if self.size > FEW else LONGER):
            self.size = max(FEWEST, self.size * SHRINK)
        elif self._wanted:
            self.size = min(MOST, self.size * GROW)
        self._least, self._wanted = None, False
