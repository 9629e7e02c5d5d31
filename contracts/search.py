"""Searches and the index that answers them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.base import SURROGATE, Contract, Text, Write
from contracts.entries import Severity
from contracts.position import Position
from contracts.selection import Shown

QUERY_MAX = 20_000  # characters of a query that are read: room for a pasted log
OFFSET_MAX = 10_000  # hits
NEAR_MAX = 1_000  # entries of like meaning that a search looks at


def a_position(text: str) -> str:
    """Raise ValueError unless `text` is a change feed position."""
    Position.parse(text)
    return text


#: See PROFILES in storage/index/weights.py.
ProfileName = Literal["default", "fresh", "proven", "text"]
PositionText = Annotated[str, Field(max_length=100), AfterValidator(a_position)]


def _what_is_read(text: Any) -> Any:
    """One character more than is read, so that the reply can say that it was cut.

    Lone surrogates become question marks: no search is refused for what was pasted.
    """
    return SURROGATE.sub("?", text[: QUERY_MAX + 1]) if isinstance(text, str) else text


class SearchQuery(Shown):
    """What is looked for. An empty `q` matches every entry that passes the filters."""

    q: Annotated[str, BeforeValidator(_what_is_read)] = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    offset: Annotated[int, Field(ge=0, le=OFFSET_MAX)] = 0
    #: How hits are ranked; see the weights of each in docs/search.md.
    profile: ProfileName = "default"
    #: By words and codes, by meaning, or by both; see docs/search.md.
    mode: Literal["lexical", "semantic", "hybrid"] = "lexical"
    #: Answer only from an index that has reached this position (read your own write).
    after: PositionText | None = None

    @model_validator(mode="after")
    def _one_way_to_page(self) -> "SearchQuery":
        if self.cursor is not None and self.offset:
            raise ValueError("a cursor knows its place: leave out the offset")
        return self


class FusedQuery(SearchQuery):
    """A search, and what means about the same, the likest first: what PostgreSQL knows of it."""

    near: Annotated[tuple[UUID, ...], Field(max_length=NEAR_MAX)] = ()
    #: What a place in `near` counts beside the same place by words, which counts 1.
    weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    #: What the answer's reader should know of it.
    note: str = ""


class Contribution(Contract):
    """What one thing that was asked for adds to a score."""

    kind: str
    text: str
    #: Where it stands in the entry: title, problem, solution, tags, code.
    field: str
    #: How much more than once it counts: it was repeated, or written with ^.
    boost: float = 1.0
    score: float


class Explanation(Contract):
    """Why a hit stands where it does. The parts' scores add up to the hit's."""

    text: str
    parts: tuple[Contribution, ...]


class SearchHit(Contract):
    """One answer. Highlights are HTML with <b>, one short piece a field.

    With `fields` in the request a hit holds those alone.
    """

    id: UUID
    score: float
    matched: Literal["pinned", "code", "phrase", "words", "synonym", "fuzzy", "semantic", "all"]
    title: str
    category: str
    severity: Severity
    tags: tuple[str, ...] = ()
    version: int
    updated_at: datetime
    highlights: dict[str, str] = Field(default_factory=dict)
    explanation: Explanation | None = None
    problem: str | None = None
    solution: str | None = None
    source: str | None = None
    external_id: str | None = None
    author: str | None = None
    created_at: datetime | None = None


class FacetValue(Contract):
    """How many entries have a value; of categories, their parts are counted in."""

    value: str
    name: str
    count: int
    children: tuple["FacetValue", ...] = ()


class HitGroup(Contract):
    """The best hits that share a value, and how many share it."""

    value: str
    name: str
    total: int
    hits: tuple[SearchHit, ...]


class SearchReply(Contract):
    """The best hits first; `total` counts all of them."""

    hits: tuple[SearchHit, ...]
    total: int
    limit: int
    offset: int
    generation: int
    position: str
    #: What else it was computed from: how texts are read, what was tuned, which index.
    edition: str = ""
    interpreted_as: str
    #: The query with the words that no entry holds spelt as others are.
    did_you_mean: str | None = None
    #: The cursor of the page after this one; None on the last.
    next: str | None = None
    #: What was asked to be counted, the most frequent values first.
    facets: dict[str, tuple[FacetValue, ...]] = Field(default_factory=dict)
    groups: tuple[HitGroup, ...] = ()
    #: ms that the index took, without the way to it and back.
    took_ms: float = 0.0
    #: Another could not be computed: this is the last known answer, of so many seconds ago.
    stale: bool = False
    age_s: float | None = None


class FollowIndex(Contract):
    """Bring this node's index up to the change feed; one batch a run."""


class RebuildIndex(Write):
    """Build this node's index anew beside the old one, then swap."""


class IndexDamage(Contract):
    """Files that were not as they were written."""

    folder: str
    files: tuple[str, ...]
    noticed_at: datetime
    mended: bool


class IndexStatus(Contract):
    """How far this node's index is."""

    generation: int
    position: str
    documents: int
    folder: str
    language: str = "english"
    #: What was found damaged last, and whether another index is in its place.
    damage: IndexDamage | None = None
    #: Changes in the feed that the index has not applied.
    behind: int
    #: Age in seconds of the oldest of them, 0.0 when there are none.
    behind_seconds: float


class CheckIndex(Contract):
    """Compare the files of this node's index with their checksums."""

    #: All of them at once; else the next part.
    whole: bool = True


class IndexChecked(Contract):
    """What was looked at; an index with `damaged` files is built anew, and answers until then.

    Of `tuning.json` alone, no more than that is published anew.
    """

    files: int
    bytes: int
    damaged: tuple[str, ...] = ()


class BackUpIndex(Contract):
    """Copy this node's index into a new or empty folder of the node."""

    to: Annotated[Text, Field(min_length=1, max_length=4096)]


class RestoreIndex(Write):
    """Go on from a backup of an index, in a folder of the node, instead of building one."""

    source: Annotated[Text, Field(min_length=1, max_length=4096)]


class IndexBackup(Contract):
    """A backup of an index, made or restored."""

    folder: str
    documents: int
    position: str
    files: int
    bytes: int


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
