"""What happened: events, as clients give them and as they are kept.

An event's id is a UUIDv7: it names the event, so that its second arrival counts nothing, and says
when it was. Who and which session are pseudonyms before an event leaves the process that saw it.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from contracts.base import Contract, Text
from contracts.entries import small_json

COMMENT_MAX = 1_000  # characters
QUERY_KEPT = 500  # characters of a query that an event keeps
NORMAL_KEPT = 200  # characters of its normalised form, by which queries are counted
NAME_MAX = 200  # characters of a session or a user, as a client names it
BATCH_MAX = 500  # events a message
GIVEN_MAX = 100  # events a request
RANK_MAX = 10_100  # the last hit that a search can show


class EventKind(StrEnum):
    """What happened. Entries' own changes and imports are read from the feed and its tables."""

    SEARCHED = "searched"
    SUGGESTION_TAKEN = "suggestion_taken"
    VIEWED = "viewed"
    COPIED = "copied"
    RATED = "rated"
    EXPORTED = "exported"
    LOGGED_IN = "logged_in"
    ALERT_RAISED = "alert_raised"
    DROPPED = "dropped"  # by a gatherer that was full; `total` says how many


def _version_7(event_id: UUID) -> UUID:
    if event_id.version != 7:
        raise ValueError("must be a UUIDv7 (RFC 9562): its first 48 bits say when the event was")
    return event_id


def time_of(event_id: UUID) -> datetime:
    """When a UUIDv7 was made. Raises: ValueError, OverflowError for a time that no clock shows."""
    return datetime.fromtimestamp((event_id.int >> 80) / 1000, UTC)


EventId = Annotated[UUID, AfterValidator(_version_7)]
#: An entry's id, not made an object of: there are ten of them in every search.
HitId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
]
Rank = Annotated[int, Field(ge=1, le=RANK_MAX)]
Rating = Annotated[int, Field(ge=1, le=5)]
Comment = Annotated[Text, StringConstraints(max_length=COMMENT_MAX)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=NAME_MAX)]


class Event(Contract):
    """One event as it is kept."""

    id: EventId
    kind: EventKind
    who: UUID | None = None  # pseudonym
    session: UUID | None = None  # pseudonym
    #: The event of the search that led here.
    search_id: UUID | None = None
    entry_id: UUID | None = None
    query: Annotated[Text, StringConstraints(max_length=QUERY_KEPT)] | None = None
    normalised: Annotated[Text, StringConstraints(max_length=NORMAL_KEPT)] | None = None
    total: Annotated[int, Field(ge=0)] | None = None
    took_ms: Annotated[float, Field(ge=0)] | None = None
    first: Annotated[int, Field(ge=0)] | None = None  # hits before those in `hits`
    hits: Annotated[tuple[HitId, ...], Field(max_length=100)] | None = None
    filters: dict[str, Any] | None = None
    category: Annotated[Text, StringConstraints(max_length=100)] | None = None
    rank: Rank | None = None
    rating: Rating | None = None
    worked: bool | None = None
    comment: Comment | None = None
    details: Annotated[dict[str, Any], AfterValidator(small_json)] | None = None


class RecordEvents(Contract):
    """A batch of events; those that are here already change nothing."""

    events: Annotated[tuple[Event, ...], Field(max_length=BATCH_MAX)]


class EventsRecorded(Contract):
    """How many of the batch were new."""

    recorded: int


class GivenEvent(Contract):
    """An event as a client tells it."""

    type: Literal["viewed", "copied", "rated", "suggestion_taken", "exported"]
    id: EventId | None = None
    #: For an event without an id; by default now.
    at: AwareDatetime | None = None
    session: Name | None = None
    #: By default whoever the key belongs to.
    user: Name | None = None
    search_id: EventId | None = None
    entry_id: UUID | None = None
    query: Annotated[Text, StringConstraints(max_length=20_000)] | None = None
    #: Where in the list the entry stood, from 1; known already where `search_id` is given.
    rank: Rank | None = None
    rating: Rating | None = None
    worked: bool | None = None
    comment: Comment | None = None

    @model_validator(mode="after")
    def _whole(self) -> "GivenEvent":
        if self.id is not None and self.at is not None:
            raise ValueError("an id says when the event was: leave out `at`")
        if self.type in ("viewed", "copied", "rated") and self.entry_id is None:
            raise ValueError(f"`entry_id` is missing: what was {self.type}?")
        if self.type == "rated":
            if self.rating is None and self.worked is None:
                raise ValueError("a rating needs `rating` (1-5) or `worked`")
        elif (self.rating, self.worked, self.comment) != (None, None, None):
            raise ValueError("`rating`, `worked` and `comment` belong to the type `rated`")
        return self


class RefusedEvent(Contract):
    """An event that was not taken, and why; `index` is its place in the request, from 0."""

    index: int
    errors: tuple[dict[str, str], ...]


class EventsTaken(Contract):
    """What became of a request: taken events are kept soon, and each once."""

    accepted: int
    refused: tuple[RefusedEvent, ...] = ()


class RollUp(Contract):
    """Count the events that are not counted yet."""


class RolledUp(Contract):
    """What one roll-up counted."""

    events: int = 0
    changes: int = 0
