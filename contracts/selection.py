"""What a search is narrowed, counted, sorted and shown by: the names that a request may use."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.base import Contract
from contracts.entries import Category, Severity, Source, Tag

YEAR_MAX = 9999
NUMBER_MAX = 2**53
CURSOR_MAX = 6_000  # characters

Facet = Literal["category", "tag", "severity", "status", "source", "author", "year"]
#: What an entry has one of, and hits can be grouped by.
GroupKey = Literal["category", "severity", "status", "source", "author", "year"]
#: As JSON:API has it: `updated` is the oldest first, `-updated` the newest.
Sort = Literal[
    "relevance",
    "updated",
    "-updated",
    "created",
    "-created",
    "usage",
    "-usage",
    "success_rate",
    "-success_rate",
]
#: What a hit can show. Those beyond `highlights` are shown only to who asks for them.
ShownField = Literal[
    "id",
    "title",
    "category",
    "severity",
    "tags",
    "version",
    "updated_at",
    "score",
    "matched",
    "highlights",
    "problem",
    "solution",
    "source",
    "external_id",
    "author",
    "created_at",
]

_DAY = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")


def _moment(text: str) -> str:
    """Raise ValueError unless `text` is a year, month, day, or a moment in ISO 8601."""
    try:
        if match := _DAY.fullmatch(text):
            datetime(*(int(part or 1) for part in match.groups()))  # type: ignore[arg-type]  # three ints
        else:
            datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError("is no date: write 2026, 2026-01, 2026-01-31 or ISO 8601") from None
    return text


def _listed(value: Any) -> Any:
    """A list, whose parts may be lists with commas themselves: `a,b` in a URL."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]
Number = Annotated[int, Field(ge=0, le=NUMBER_MAX)]
_COMMAS = BeforeValidator(_listed)


class Narrowed(Contract):
    """Which entries are looked at: those that pass all of the filters.

    Several values of one filter are alternatives, but an entry must have all of the tags. Ranges
    hold both of their ends; a day, a month or a year is meant as a whole. Dates are UTC.
    """

    category: tuple[Category, ...] = ()
    tag: tuple[Tag, ...] = ()
    severity: tuple[Severity, ...] = ()
    status: tuple[Literal["draft", "active"], ...] = ()
    source: tuple[Annotated[Source, Field(min_length=1)], ...] = ()
    author: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    #: Of the last change.
    year: tuple[Annotated[int, Field(ge=1, le=YEAR_MAX)], ...] = ()
    updated_from: Moment | None = None
    updated_to: Moment | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None
    usage_from: Number | None = None
    usage_to: Number | None = None


class Shown(Narrowed):
    """In which order, in which pages and with what beside them the hits come."""

    sort: Sort = "relevance"
    #: The direction, for who would rather not write a minus.
    order: Literal["asc", "desc"] | None = None
    #: `next` of the page before; everything else as it was there, but for what is shown.
    cursor: Annotated[str, Field(max_length=CURSOR_MAX)] | None = None
    facets: Annotated[tuple[Facet, ...], _COMMAS] = ()
    facet_limit: Annotated[int, Field(ge=1, le=100)] = 20
    #: Hits come in groups instead of one list; `limit` and `offset` then count groups.
    group: GroupKey | None = None
    group_limit: Annotated[int, Field(ge=1, le=20)] = 3
    #: What a hit shows; its id always, and all that is usual if this is left out.
    fields: Annotated[tuple[ShownField, ...], _COMMAS] = ()
    highlight: bool = True
    explain: bool = False

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort == "relevance" or self.sort.startswith("-") or self.order == "desc"

    @model_validator(mode="after")
    def _one_direction(self) -> "Shown":
        if self.order == "asc" and (self.sort == "relevance" or self.sort.startswith("-")):
            raise ValueError(f"order=asc contradicts sort={self.sort}, which is descending")
        if self.group and self.cursor is not None:
            raise ValueError("groups have no cursor: page through them with limit and offset")
        return self
