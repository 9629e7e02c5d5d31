"""Dead letters: what failed, kept with its history until someone decides."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, model_validator

from contracts.base import Contract, Text, Write

RATE_MIN = 0.001  # letters/s: one in a quarter of an hour
RATE_MAX = 100_000  # letters/s


class LetterState(StrEnum):
    """Where a letter is."""

    DEAD = "dead"
    REPLAYING = "replaying"  # between the row and its queue, for a moment
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class LetterFilter(Contract):
    """Which letters; every condition must hold. Texts compare whole, but for `text`."""

    ids: Annotated[tuple[UUID, ...], Field(max_length=1000)] = ()
    state: LetterState = LetterState.DEAD
    actor: Text | None = None
    queue: Text | None = None
    reason: Text | None = None
    #: Exception class, with or without its module.
    error: Text | None = None
    #: Found in the error's message, the actor's name or the message's body.
    text: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    #: When it died: from `since` on, before `until`.
    since: datetime | None = None
    until: datetime | None = None
    task: UUID | None = None

    @property
    def conditions(self) -> dict[str, Any]:
        """The conditions that were given, without the state."""
        named = {name: getattr(self, name) for name in LetterFilter.model_fields}
        return {
            name: value
            for name, value in named.items()
            if name != "state" and value not in (None, ())
        }


class ListDeadLetters(LetterFilter):
    """Ask for one page, the last to die first."""

    cursor: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class GetDeadLetter(Contract):
    """Read one letter whole."""

    id: UUID


class Selection(LetterFilter):
    """Letters to act on: some conditions, or explicitly all of them."""

    #: Where letters have to be for it: what is on its way belongs to its replay.
    states: ClassVar[tuple[LetterState, ...]] = (LetterState.DEAD,)

    everything: bool = False

    @model_validator(mode="after")
    def _some(self) -> "Selection":
        if not self.conditions and not self.everything:
            raise ValueError("name letters by their ids, give a condition, or say everything")
        if self.state not in self.states:
            raise ValueError(f"acts on letters that are {' or '.join(self.states)}")
        return self


class DiscardDeadLetters(Write, Selection):
    """Put letters aside; they can be restored until they are pruned."""

    why: Annotated[Text, Field(min_length=1, max_length=500)]


class RestoreDeadLetters(Write, Selection):
    """Bring discarded or replayed letters back among the dead."""

    states = (LetterState.DISCARDED, LetterState.REPLAYED)

    state: LetterState = LetterState.DISCARDED


class LettersChanged(Contract):
    """How many letters were changed; `more` asks for the same again, under a key of its own."""

    count: int
    more: bool = False


def refuse_unsendable(request: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError for what no message can carry: Python reads more than strict JSON."""
    try:
        orjson.dumps(request)
    except TypeError as error:  # a lone surrogate, an integer of more than 64 bits, deep nesting
        raise ValueError(f"can't be sent: {error}") from None
    return request


class EditDeadLetter(Write):
    """Put another request into a letter, checked against its actor's contract."""

    id: UUID
    request: Annotated[dict[str, Any], AfterValidator(refuse_unsendable)]


class ReplayDeadLetters(Write, Selection):
    """Send letters to their queues again, as a task, at most `rate` a second."""

    rate: Annotated[float, Field(ge=RATE_MIN, le=RATE_MAX)] | None = None


class MoveLetters(Contract):
    """One turn of a replay; the task knows how far it is."""

    task: UUID
    rate: float | None = None
    by: str = ""


class ReplayPlan(Contract):
    """What a replay would move, and what it would refuse, with the reasons counted."""

    count: int
    refused: dict[str, int] = Field(default_factory=dict)


class LettersMoved(Contract):
    """What a replay came to; what others took from its selection meanwhile is not moved twice."""

    moved: int
    taken_meanwhile: int = 0


class ReplayStarted(ReplayPlan):
    """The selection is frozen; the task moves it."""

    task: UUID


class DeadLetter(Contract):
    """A letter as lists show it."""

    id: UUID
    message_id: str
    queue: str
    actor: str
    reason: str
    error: str
    message: str
    deliveries: int
    first_failed_at: datetime
    failed_at: datetime
    size: int
    replays: int
    state: LetterState
    edited: bool = False


class Attempt(Contract):
    """One failed attempt; `ms` is how long it ran."""

    at: datetime
    worker: str = ""
    ms: float | None = None
    error: str = ""
    message: str = ""
    traceback: str = ""


class DeadLetterWhole(DeadLetter):
    """A letter with all that is known of it.

    `body` is the message as it was sent, or None where it can't be read: then `raw` holds its
    first 64 KiB as text, unreadable bytes escaped.
    """

    operation_id: str
    body: dict[str, Any] | None
    raw: str | None = None
    attempts: tuple[Attempt, ...]
    #: What else was reported: crashes, the workers it died under, why it can't be read.
    report: dict[str, Any]
    #: Whether this release has the actor, so that it could be replayed.
    replayable: bool
    task: UUID | None = None
    replay_of: UUID | None = None
    replayed_by: UUID | None = None
    discarded_why: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None
    #: The request as it was before it was edited.
    original: dict[str, Any] | None = None


class DeadLetterPage(Contract):
    """One page; `next_cursor` is None on the last."""

    letters: tuple[DeadLetter, ...]
    next_cursor: str | None = None


class LetterCount(Contract):
    """How many letters a filter finds."""

    count: int


class LetterGroup(Contract):
    """Letters that died alike, the message that of the last."""

    actor: str
    reason: str
    error: str
    count: int
    first_failed_at: datetime
    failed_at: datetime
    message: str
    example: UUID


class LetterGroups(Contract):
    """The largest groups first, at most 100."""

    groups: tuple[LetterGroup, ...]
