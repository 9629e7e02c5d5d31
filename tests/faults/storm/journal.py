"""What the storm did, when, and to whom."""

import time
from dataclasses import dataclass, field


@dataclass
class Entry:
    """One fault. Times are monotonic seconds."""

    kind: str
    began: float
    over: float = 0.0
    target: str = ""
    kills: int = 0
    #: Consumers were killed or silenced: their messages may be claimed.
    deaths: int = 0
    recovery: float | None = None

    def __str__(self) -> str:
        recovery = "others" if self.recovery is None else f"{self.recovery:.2f} s"
        lasted = f"{self.over - self.began:.2f} s"
        return f"{self.kind}: {self.target} (lasted {lasted}; next write after {recovery})"


@dataclass
class Round:
    """The faults of one round and what the oracle said."""

    number: int
    theme: str
    began: float = field(default_factory=time.monotonic)
    faults: list[Entry] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    settled: float = 0.0  # seconds that the settling took

    @property
    def failed(self) -> bool:
        """Whether something differs from what was promised."""
        return bool(self.losses or self.doubles or self.others)

    @property
    def lines(self) -> list[str]:
        """The journal for a person: seconds since the round began, kind, target."""
        return [f"  {one.began - self.began:6.2f} s  {one}" for one in self.faults]
