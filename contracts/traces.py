"""An operation's story: what was done for it, when, where, how long, and how it ended."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.base import Contract, Text


class TracedStep(Contract):
    """What a delivery did under one name, `count` times in `ms` together.

    A slow statement comes alone, with the shape of its parameters and, if it was looked up, its
    plan; neither holds a value.
    """

    kind: Annotated[Text, Field(max_length=20)]
    name: Annotated[Text, Field(max_length=100)]
    count: int = 1
    ms: float
    slow: bool = False
    shape: dict[str, Any] | None = None
    plan: Annotated[Text, Field(max_length=8_000)] = ""


class Span(Contract):
    """One delivery of one message. Times on Redis's clock, in ms where they say so."""

    operation_id: Annotated[Text, Field(max_length=200)]
    message_id: Annotated[Text, Field(max_length=200)]
    at: AwareDatetime
    actor: Annotated[Text, Field(max_length=200)]
    queue: Annotated[Text, Field(max_length=200)]
    worker: Annotated[Text, Field(max_length=300)]
    waited_ms: float
    ms: float
    attempt: int
    outcome: str
    error: Annotated[Text, Field(max_length=300)] = ""
    slow: bool = False
    shape: dict[str, Any] | None = None
    caller: Annotated[Text, Field(max_length=200)] | None = None
    steps: tuple[TracedStep, ...] | None = None


class RecordSpans(Contract):
    """What a process did; one that comes again adds nothing."""

    spans: Annotated[tuple[Span, ...], Field(max_length=500)]


class GetTrace(Contract):
    """By an operation's id, a message's, or a task's."""

    id: Annotated[Text, Field(min_length=1, max_length=200)]


class TracedLetter(Contract):
    """A message of the operation that died."""

    id: UUID
    actor: str
    state: str
    reason: str
    error: str
    message: str
    failed_at: datetime


class TracedError(Contract):
    """An error whose newest sample is of this operation."""

    fingerprint: str
    error: str
    place: str


class TracedTask(Contract):
    """The task that has this id."""

    id: UUID
    type: str
    status: str
    started_by: str


class Trace(Contract):
    """All that is known; empty where nothing was kept."""

    spans: tuple[Span, ...] = ()
    letters: tuple[TracedLetter, ...] = ()
    errors: tuple[TracedError, ...] = ()
    tasks: tuple[TracedTask, ...] = ()


class ListSlow(Contract):
    """Of the last so many hours."""

    hours: Annotated[int, Field(ge=1, le=168)] = 24
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class SlowOperation(Contract):
    """Slow deliveries of one actor; the slowest one's operation, and its request's shape."""

    actor: str
    count: int
    total_ms: float
    most_ms: float
    operation_id: str
    shape: dict[str, Any] | None


class SlowStatement(Contract):
    """Slow runs of one statement; the slowest one's operation and shape, the newest plan."""

    name: str
    count: int
    total_ms: float
    most_ms: float
    operation_id: str
    shape: dict[str, Any] | None
    plan: str


class SlowOperations(Contract):
    """Those that took most in total first."""

    operations: tuple[SlowOperation, ...]
    statements: tuple[SlowStatement, ...] = ()
