"""Suggestions while somebody types."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.base import Contract

TYPED_MIN, TYPED_MAX = 2, 200  # characters


class Suggest(Contract):
    """What was typed so far."""

    q: Annotated[str, Field(min_length=TYPED_MIN, max_length=TYPED_MAX)]
    limit: Annotated[int, Field(ge=1, le=50)] = 10


class Suggestion(Contract):
    """A code, a tag or a popular query to search for, or an entry to open."""

    kind: Literal["code", "entry", "tag", "query"]
    text: str
    id: UUID | None = None
    #: How many entries have that code or tag.
    entries: int | None = None


class Suggestions(Contract):
    """The best first."""

    suggestions: tuple[Suggestion, ...]
    generation: int
    position: str = ""
    #: What else it was computed from: how texts are read, what was tuned, which index.
    edition: str = ""
    #: Another could not be computed: this is the last known answer, of so many seconds ago.
    stale: bool = False
    age_s: float | None = None
