"""How the system is, and how it was."""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, Field

from contracts.base import Contract, Text


class Check(Contract):
    """One thing that the system needs. `facts` are its numbers."""

    ok: bool
    #: How long it took to find out.
    ms: float | None = None
    code: str | None = None
    reason: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict)


class Health(Contract):
    """Ready: all is well. Degraded: requests are answered, and something needs a hand."""

    status: Literal["ready", "degraded", "not ready"]
    checks: dict[str, Check]


class CircuitState(Contract):
    """What a process leaves alone, and what it does not: one of its circuit breakers."""

    process: str
    name: str
    state: Literal["closed", "open", "half-open"]
    #: Since the process began.
    openings: int
    #: Seconds until an attempt may be let through.
    retry_after: float


class NodeFacts(Contract):
    """What a node alone can tell of itself, at a tick of its own."""

    node: Text
    #: Of the data folder's disk, 0 to 1.
    disk_used: float | None = None
    #: Counts since a process began, by process.
    requests: dict[str, dict[str, float]] = Field(default_factory=dict)
    #: Where in the change feed its published index is: (txid, seq).
    position: tuple[int, int] | None = None


class ListSamples(Contract):
    """Which samples, the newest first."""

    node: str | None = None
    before: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class HealthSample(Contract):
    """A node at one moment (PostgreSQL's clock)."""

    at: datetime
    node: str
    numbers: dict[str, Any]


class HealthHistory(Contract):
    """Samples, the newest first."""

    samples: tuple[HealthSample, ...]


Level = Literal["well", "warning", "wrong"]


class Finding(NamedTuple):
    """One thing that a doctor looked at; `remedy` is empty where all is well."""

    level: Level
    about: str
    found: str
    remedy: str = ""
