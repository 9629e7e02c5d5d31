"""Questions about what happened, and their answers. Each answer has `rows`, which CSV prints."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contracts.analytics import NORMAL_KEPT
from contracts.base import Contract, Text
from contracts.entries import Category, Tag

PERIOD = timedelta(days=30)  # where no `since` is given
LONGEST = timedelta(days=1_100)

Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]
Limit = Annotated[int, Field(ge=1, le=1_000)]
Row = dict[str, Any]


@dataclass(frozen=True)
class Formula:
    """A metric: a sum of counts, or that over another; counts with their weights."""

    over: dict[str, int]
    under: dict[str, int] | None = None


def _plain(*names: str) -> dict[str, Formula]:
    return {name: Formula({name: 1}) for name in names}


#: What can be asked for, from what is counted (migration 0011).
METRICS: dict[str, Formula] = {
    **_plain("searches", "empty", "clicked", "viewed", "copied", "taken", "exported"),
    **_plain("ratings", "worked", "failed", "created", "updated", "deleted"),
    **_plain("logins", "alerts", "dropped", "shown", "used"),
    "empty_rate": Formula({"empty": 1}, {"searches": 1}),
    # Of the searches that found something, those that led to an entry.
    "click_through": Formula({"clicked": 1}, {"searches": 1, "empty": -1}),
    # 1 / rank of the first click, on average over the searches with one.
    "reciprocal_rank": Formula({"reciprocal": 1}, {"ranked": 1}),
    "success_rate": Formula({"worked": 1}, {"worked": 1, "failed": 1}),
    "mean_rating": Formula({"rating_sum": 1}, {"ratings": 1}),
    "mean_ms": Formula({"took_ms": 1}, {"searches": 1}),
}

#: The counts that each table has.
USES = frozenset(("viewed", "copied", "taken", "exported"))
BY_ENTRY = USES | {"shown", "used", "ratings", "rating_sum", "worked", "failed"}
BY_QUERY = frozenset(("searches", "empty", "clicked", "ranked", "reciprocal", "took_ms"))
CHANGES = frozenset(("created", "updated", "deleted"))
BY_HOUR = (BY_QUERY | BY_ENTRY | CHANGES | {"logins", "alerts", "dropped"}) - {"shown", "used"}


def value(metric: str, counts: dict[str, Any]) -> float | None:
    """A metric of these counts; None where it is over nothing."""
    formula = METRICS[metric]
    over = sum(weight * float(counts.get(name) or 0) for name, weight in formula.over.items())
    if formula.under is None:
        return round(over)
    under = sum(weight * float(counts.get(name) or 0) for name, weight in formula.under.items())
    return round(over / under, 4) if under > 0 else None


class Period(Contract):
    """From when to when; by default the last 30 days. Whole hours, or whole days, of UTC."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Period":
        if self.since is not None and self.until is not None:
            if self.until <= self.since:
                raise ValueError("`until` is not after `since`")
            if self.until - self.since > LONGEST:
                raise ValueError(f"is longer than {LONGEST.days} days")
        return self


class AskDashboard(Period):
    """The numbers of a period beside those of the one before, and how they went."""

    zone: Zone = "UTC"
    category: Category | None = None


class Dashboard(Contract):
    """`rows` has one row a day; `before` is the period of the same length before.

    Of one category, what is counted of all only is None: entries, latencies and queries.
    """

    since: datetime
    until: datetime
    #: As it is spelt here; None of all, and of one that is not known.
    category: str | None = None
    entries: int | None
    archived: int | None
    totals: dict[str, int | float | None]
    before: dict[str, int | float | None]
    latency_ms: dict[str, float | None] | None
    popular_queries: tuple[Row, ...] | None
    unanswered_queries: tuple[Row, ...] | None
    popular_entries: tuple[Row, ...]
    rows: tuple[Row, ...]


class QueryList(StrEnum):
    """Which queries."""

    POPULAR = "popular"
    RISING = "rising"  # asked more often in the second half of the period than in the first
    UNANSWERED = "unanswered"  # that found nothing
    UNCLICKED = "unclicked"  # that found something, and nobody took it


class ListQueries(Period):
    """The first queries of a list."""

    list: QueryList = QueryList.POPULAR
    limit: Limit = 20


class EntryList(StrEnum):
    """Which entries."""

    POPULAR = "popular"
    BEST = "best"  # by the success that 95 % certainty allows (Wilson's lower bound)
    UNFOUND = "unfound"  # a week old, and shown by no search that is kept
    STALE = "stale"  # not changed for half a year, those still in use first


class ListUsedEntries(Period):
    """The first entries of a list. The period narrows popular and best ones; others have none."""

    list: EntryList = EntryList.POPULAR
    category: Category | None = None
    tag: Tag | None = None
    limit: Limit = 20


class AskEntry(Period):
    """What happened to one entry."""

    id: UUID


class EntryMetrics(Contract):
    """Since ever, by day of the period, and the newest comments."""

    id: UUID
    title: str
    usage: int
    success: int
    failure: int
    success_rate: float | None
    mean_rating: float | None
    shown: int
    last_used_at: datetime | None
    comments: tuple[Row, ...]
    rows: tuple[Row, ...]


class AskActivity(Contract):
    """What happened last, without searches and views; before `before`.

    A row has `at` and its `kind`; of entries `entry_id`, `title` and the `number` of those that one
    transaction created, updated or deleted (the first one's title); of a rating `rating`, `worked`
    and `comment`; of an alert `rule` and `subject`, or the saved `search` that found it; of an
    import its `source` and the `rows` that it received.
    """

    before: AwareDatetime | None = None
    limit: Limit = 50


class AskLatency(Period):
    """How long searches took, as the shim saw it."""

    by: Literal["hour", "day", "week", "month"] = "day"
    zone: Zone = "UTC"


class AskReport(Period):
    """One metric, grouped and narrowed. By entry, tag and query in days of UTC."""

    metric: Annotated[str, Field(max_length=40)]
    by: Literal["hour", "day", "week", "month", "category", "tag", "entry", "query"] = "day"
    zone: Zone = "UTC"
    category: Category | None = None
    tag: Tag | None = None
    entry: UUID | None = None
    query: Annotated[Text, Field(max_length=NORMAL_KEPT)] | None = None
    limit: Limit = 100

    @property
    def table(self) -> Literal["entry", "query", "hour"]:
        """Where it is counted."""
        if self.by in ("entry", "tag") or self.entry is not None or self.tag is not None:
            return "entry"
        return "query" if self.by == "query" or self.query is not None else "hour"

    @model_validator(mode="after")
    def _can_be_answered(self) -> "AskReport":
        if self.metric not in METRICS:
            raise ValueError(f"{self.metric!r} is no metric; there are {', '.join(METRICS)}")
        counted = {"entry": BY_ENTRY, "query": BY_QUERY, "hour": BY_HOUR}[self.table]
        formula = METRICS[self.metric]
        needed = {*formula.over, *(formula.under or {})}
        if not needed <= counted:
            able = [
                name for name, one in METRICS.items() if {*one.over, *(one.under or {})} <= counted
            ]
            raise ValueError(f"{self.metric} is not counted so; these are: {', '.join(able)}")
        if self.table == "entry" and (self.query is not None or self.by == "query"):
            raise ValueError("a query and entries can't be asked for at once")
        if self.table == "query" and (self.category is not None or self.by == "category"):
            raise ValueError("queries are not counted by category")
        if self.table != "hour" and (self.zone != "UTC" or self.by == "hour"):
            raise ValueError("entries and queries are counted in days of UTC")
        return self


class Answer(Contract):
    """Rows, each with the same names."""

    since: datetime | None = None
    until: datetime | None = None
    rows: tuple[Row, ...]
