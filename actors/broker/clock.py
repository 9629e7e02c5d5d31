"""Redis's clock: the one that deadlines, delays and ticks are on."""

import time
from collections.abc import Sequence

# A clock that nobody sets, and that goes on while a laptop sleeps: Linux's monotonic one doesn't.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds on a clock that is never set."""
    return time.clock_gettime(_STEADY)


class Clock:
    """What Redis's clock shows now, estimated from when it was last read."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._read_at = float("-inf")

    def set(self, answer: Sequence[bytes | int]) -> None:
        """Take over the answer to Redis's TIME: seconds, microseconds."""
        self._read_at = steady()
        self._ahead = int(answer[0]) + int(answer[1]) / 1e6 - self._read_at

    def now_ms(self) -> float:
        """Unix milliseconds on Redis's clock."""
        return (steady() + self._ahead) * 1000

    @property
    def age(self) -> float:
        """Seconds since it was last set."""
        return steady() - self._read_at
