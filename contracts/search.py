"""Searches and the index that answers them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from contracts.base import Contract, Write
from contracts.entries import Category, Severity, Tag
from contracts.position import Position

QUERY_MAX = 20_000  # characters of a query that are read: room for a pasted log
OFFSET_MAX = 10_000  # hits


def a_position(text: str) -> str:
    """Raise ValueError unless `text` is a change feed position."""
    Position.parse(text)
    return text


#: See PROFILES in storage/index/weights.py.
ProfileName = Literal["default", "fresh", "proven", "text"]
PositionText = Annotated[str, Field(max_length=100), AfterValidator(a_position)]


def _what_is_read(text: Any) -> Any:
    """One character more than is read, so that the reply can say that it was cut."""
    return text[: QUERY_MAX + 1] if isinstance(text, str) else text


class SearchQuery(Contract):
    """What is looked for. An empty `q` matches every entry that passes the filters."""

    q: Annotated[str, BeforeValidator(_what_is_read)] = ""
    category: tuple[Category, ...] = ()
    tag: tuple[Tag, ...] = ()
    severity: tuple[Severity, ...] = ()
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    offset: Annotated[int, Field(ge=0, le=OFFSET_MAX)] = 0
    highlight: bool = True
    #: How hits are ranked; see the weights of each in docs/search.md.
    profile: ProfileName = "default"
    #: Answer only from an index that has reached this position (read your own write).
    after: PositionText | None = None


class SearchHit(Contract):
    """One answer. Highlights are HTML with <b>, one short piece a field."""

    id: UUID
    score: float
    matched: Literal["pinned", "code", "words", "all"]
    title: str
    category: str
    severity: Severity
    tags: tuple[str, ...] = ()
    version: int
    updated_at: datetime
    highlights: dict[str, str] = Field(default_factory=dict)


class SearchReply(Contract):
    """The best hits first; `total` counts all of them."""

    hits: tuple[SearchHit, ...]
    total: int
    limit: int
    offset: int
    generation: int
    position: str
    interpreted_as: str
    #: The query with the words that no entry holds spelt as others are.
    did_you_mean: str | None = None


class FollowIndex(Contract):
    """Bring this node's index up to the change feed; one batch a run."""


class RebuildIndex(Write):
    """Build this node's index anew beside the old one, then swap."""


class IndexStatus(Contract):
    """How far this node's index is."""

    generation: int
    position: str
    documents: int
    folder: str
    #: Changes in the feed that the index has not applied.
    behind: int
    #: Age in seconds of the oldest of them, 0.0 when there are none.
    behind_seconds: float


class VerifyIndex(Contract):
    """Compare the index with PostgreSQL, entry by entry."""


class IndexVerified(Contract):
    """What the comparison found; the lists hold at most 20 ids each."""

    entries: int
    documents: int
    missing: tuple[UUID, ...] = ()
    outdated: tuple[UUID, ...] = ()
    orphaned: tuple[UUID, ...] = ()
    agrees: bool
    position: str
