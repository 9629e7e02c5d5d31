"""Lists of queries and entries, one entry's own numbers, and what happened last."""

from datetime import UTC, date, datetime
from typing import Any

from actors.actor import actor
from actors.analytics_span import DAY, Span, conditions, span
from contracts.analytics_answers import (
    Answer,
    AskActivity,
    AskEntry,
    EntryMetrics,
    ListQueries,
    ListUsedEntries,
    Row,
    value,
)
from contracts.analytics_answers import EntryList as Entries
from contracts.analytics_answers import QueryList as Queries
from contracts.errors import EntryNotFound
from storage.postgres.store import Store, Transaction

LIKELY = 3_000  # queries or entries that can come into a list: so many of each day's first


@actor(queue="reads", read=True)
def queries(request: ListQueries, store: Store) -> Answer:
    """The first queries of a list."""
    asked = span(request)
    with store.transaction() as tx:
        rows = first_queries(tx, asked, request.list, request.limit)
    return Answer(since=asked.since, until=asked.until, rows=rows)


@actor(queue="reads", read=True)
def entries(request: ListUsedEntries, store: Store) -> Answer:
    """The first entries of a list."""
    asked, limits = span(request), {"category": request.category, "tag": request.tag}
    with store.transaction() as tx:
        if request.list is Entries.POPULAR:
            rows = first_used(tx, asked, request.limit, **limits)
        elif request.list is Entries.BEST:
            rows = tuple(
                {**row, "success_rate": value("success_rate", row), "sure": _round(row["sure"])}
                for row in tx.rows(
                    "analytics_lists.best",
                    conditions(**limits),
                    limit=request.limit,
                    **asked.days,
                    **limits,
                )
            )
        else:
            statement: Any = f"analytics_lists.{request.list.value}"
            found = tx.rows(statement, conditions(**limits), limit=request.limit, **limits)
            return Answer(rows=tuple(found))
    return Answer(since=asked.since, until=asked.until, rows=rows)


@actor(queue="reads", read=True)
def entry(request: AskEntry, store: Store) -> EntryMetrics:
    """What happened to one entry. Raises: EntryNotFound."""
    with store.transaction() as tx:
        row = tx.row("analytics_lists.entry", id=request.id)
        if row is None:
            raise EntryNotFound(id=str(request.id))
        days = tx.rows("analytics_lists.entry_days", id=request.id, **span(request).days)
        comments = tx.rows("analytics_lists.comments", id=request.id)
    counts = {**row, "worked": row["success"], "failed": row["failure"]}
    return EntryMetrics(
        success_rate=value("success_rate", counts),
        mean_rating=value("mean_rating", counts),
        comments=tuple(comments),
        rows=tuple(days),
        **{name: row[name] for name in EntryMetrics.model_fields if name in row},
    )


@actor(queue="reads", read=True)
def activity(request: AskActivity, store: Store) -> Answer:
    """What happened last, the newest first."""
    before = request.before or datetime.now(UTC) + DAY
    with store.transaction() as tx:
        rows = tx.rows("analytics_lists.activity", before=before, limit=request.limit)
    return Answer(rows=tuple({k: v for k, v in row.items() if v is not None} for row in rows))


def first_queries(tx: Transaction, asked: Span, which: Queries, limit: int) -> tuple[Row, ...]:
    """Likely queries from the first of each day, then their exact numbers."""
    days, middle = asked.days, _middle(asked)
    look = {**days, "first": middle} if which is Queries.RISING else days
    likely = Queries.POPULAR if which is Queries.RISING else which
    names = _likely(tx, asked, likely, limit, look)
    rows = [_query(row) for row in _numbers(tx, asked, names)]
    rows.sort(key=lambda row: (-_weight(which, row), row["query"]))
    if which is Queries.RISING:
        rows = [row for row in rows if row["rise"] > 1]
    return tuple(rows[:limit])


def queries_by(
    tx: Transaction, asked: Span, count: str, limit: int, names: list[str] | None = None
) -> list[Row]:
    """The numbers of these queries, or of the likely ones: those with the most of one count."""
    if names is None:
        likely = Queries.UNANSWERED if count == "empty" else Queries.POPULAR
        names = _likely(tx, asked, likely, limit, asked.days)
    found = _numbers(tx, asked, names)
    return sorted(found, key=lambda row: (-float(row[count]), row["query"]))[:limit]


def _likely(
    tx: Transaction, asked: Span, which: Queries, limit: int, look: dict[str, Any]
) -> list[str]:
    name = f"analytics_lists.likely_{which.value}"
    rows = tx.rows(name, depth=_depth(asked, limit), likely=3 * limit, **look)
    return [row["query"] for row in rows]


def _numbers(tx: Transaction, asked: Span, names: list[str]) -> list[Row]:
    given = {"queries": names, "middle": _middle(asked), **asked.days}
    return tx.rows("analytics_lists.queries", **given)


def _middle(asked: Span) -> date:
    return (asked.since + (asked.until - asked.since) / 2).date()


def _depth(asked: Span, limit: int) -> int:
    """How many of each day's first: a hundred in a month, and never fewer than are asked for."""
    return max(limit, LIKELY // max(1, (asked.until - asked.since).days))


def _weight(which: Queries, row: Row) -> float:
    match which:
        case Queries.POPULAR:
            return float(row["searches"])
        case Queries.RISING:
            return float(row["rise"])
        case Queries.UNANSWERED:
            return float(row["empty"])
        case Queries.UNCLICKED:
            return float(row["searches"] - row["empty"] - row["clicked"])


def _query(row: Row) -> Row:
    earlier = int(row["earlier"])
    counts = {name: int(row[name]) for name in ("searches", "empty", "clicked")}
    return {
        "query": row["query"],
        **counts,
        # How much more in the second half; one search more in each half, against great words
        # about small numbers.
        "rise": round((counts["searches"] - earlier + 1) / (earlier + 1), 2),
        **{name: value(name, row) for name in ("click_through", "reciprocal_rank", "mean_ms")},
    }


def first_used(
    tx: Transaction, asked: Span, limit: int, category: str | None = None, tag: str | None = None
) -> tuple[Row, ...]:
    limits = {"category": category, "tag": tag}
    where, days = conditions(**limits), asked.days
    first: dict[str, Any] = {"depth": _depth(asked, limit), "likely": 3 * limit, **days}
    if tag is not None:
        likely = tx.rows("analytics_lists.used_among", where, likely=limit, **days, **limits)
    elif category is not None:
        likely = tx.rows("analytics_lists.likely_used_of_category", where, **first, **limits)
    else:
        likely = tx.rows("analytics_lists.likely_used", **first)
    ids = [row["entry_id"] for row in likely]
    rows = tx.rows("analytics_lists.used", entries=ids, limit=limit, **asked.days)
    return tuple({**row, "success_rate": value("success_rate", row)} for row in rows)


def _round(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
