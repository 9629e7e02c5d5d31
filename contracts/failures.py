"""The error log: unexpected errors, grouped by what was raised and where."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from contracts.base import Contract, Text, Write

FINGERPRINT = 16  # hexadecimal digits
SAID, TRACED = 1_000, 8_000  # characters

Fingerprint = Annotated[str, Field(min_length=FINGERPRINT, max_length=FINGERPRINT)]
Category = Literal["domain", "system", "network", "resource", "unexpected"]


class Seen(Contract):
    """Errors of one fingerprint that one process met since it told of them last."""

    fingerprint: Fingerprint
    error: Annotated[Text, Field(max_length=300)]
    place: Annotated[Text, Field(max_length=300)]
    category: Category
    severity: Literal["warning", "error"]
    count: Annotated[int, Field(ge=1)]
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    actor: Annotated[Text, Field(max_length=300)]
    operation_id: Annotated[Text, Field(max_length=200)]
    message: Annotated[Text, Field(max_length=SAID)]
    traceback: Annotated[Text, Field(max_length=TRACED)]


class RecordFailures(Write):
    """What a process met; `key` is its own for each batch."""

    seen: Annotated[tuple[Seen, ...], Field(max_length=500)]


class Recorded(Contract):
    """How many groups there were."""

    groups: int


class Failure(Contract):
    """A group: its count, and the newest of it as a sample."""

    fingerprint: str
    error: str
    place: str
    category: str
    severity: str
    count: int
    first_seen: datetime
    last_seen: datetime
    actor: str
    operation_id: str
    message: str
    traceback: str
    resolved_at: datetime | None = None
    resolved_by: str | None = None


class ListFailures(Contract):
    """Which errors: those that are not resolved, unless asked for."""

    everything: bool = False
    category: Category | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class Failures(Contract):
    """The last seen first."""

    errors: tuple[Failure, ...]


class ResolveFailure(Write):
    """Put a group aside, until it is seen again."""

    fingerprint: Fingerprint
