"""How many requests of a queue may be unanswered at once, by how long the last ones waited in it.

A queue that is empty from time to time is a good one: it smooths bursts. One that never gets empty
helps nobody: every request waits, and no more are answered. So the least wait of an interval tells
(Nichols and Jacobson's CoDel), and the limit follows it up and down as TCP's window does (AIMD).
"""

import time
from collections.abc import Callable

FEWEST, MOST = 4, 4000
FEW = 88  # as many wait longer, rather than be refused: a team's clients, not a flood. Who is alone
# has three fourths of them (admission.py), so that sixty-four clients with one key are let in
LONGER = 15  # times
INTERVAL = 0.1  # seconds between two looks
SHRINK, GROW = 0.9, 1.05  # factors, of one look
FAR, HALVE = 3.0, 0.5  # times its target, and the factor where the wait is even longer


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
        self._shows = self._began  # when to see what the last change did

    def wanted(self) -> None:
        """More would have come than the limit allows."""
        self._wanted = True

    def heard(self, waited: float) -> None:
        """A request waited so many seconds until it was begun, or until it was given up."""
        if self._least is None or waited < self._least:
            self._least = waited
        now = self._clock()
        if now - self._began >= INTERVAL:
            self._judge(now, self._least)
            self._began, self._least, self._wanted = now, None, False

    def _judge(self, now: float, least: float) -> None:
        self.delay = least
        target = self._target * (1 if self.size > FEW else LONGER)
        if least > target:
            if now >= self._shows:
                self.size = max(FEWEST, self.size * (SHRINK if least < FAR * target else HALVE))
                self._shows = now + least  # those who wait already still wait so long
        elif self._wanted:
            self.size = min(MOST, self.size * GROW)
