"""Queues, as operators see and rule them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from contracts.base import Contract

LIMIT_MAX = 100_000  # messages in hand at once; more is no limit


class Pause(Contract):
    """Who paused a queue, when (Redis's clock), and why."""

    by: str
    at: datetime
    reason: str = ""


class PauseQueue(Contract):
    """What may be said with a pause."""

    reason: Annotated[str, Field(max_length=500)] = ""


class LimitQueue(Contract):
    """How many messages of a queue are in hand at once, over all workers; None: any number."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] | None


class QueueCounts(Contract):
    """How many deliveries ended in each way since the queue began."""

    done: int = 0
    retry: int = 0
    dead: int = 0
    release: int = 0


class QueueState(Contract):
    """A queue as of one moment. Counts of messages, but for `consumers`; ages in seconds."""

    name: str
    #: The moment, on Redis's clock.
    at: datetime
    #: Not yet delivered.
    waiting: int
    #: Delivered and not ended, suspects among them.
    in_flight: int
    delayed: int
    #: Found under workers that died, not yet tried again.
    suspects: int
    #: Dead letters that are no rows yet: seconds old, unless PostgreSQL is away.
    dead: int
    #: Since the oldest message that waits or is in flight was put there; None: there is none.
    oldest_seconds: float | None
    #: Until the first delayed message is due (0: it is); None: there is none.
    next_due_seconds: float | None
    #: Reading threads whose heart beats.
    consumers: int
    limit: int | None
    paused: Pause | None
    counts: QueueCounts
    #: Messages a second between two samples; None in a single one. What is tried again later
    #: has not left.
    rate_in: float | None = None
    rate_out: float | None = None

    @property
    def unfinished(self) -> int:
        """Messages that wait, are in flight or suspect: what a drain waits for."""
        return self.waiting + self.in_flight + self.suspects


class QueueStates(Contract):
    """Every queue that a worker has read, and those of this node."""

    queues: tuple[QueueState, ...]
