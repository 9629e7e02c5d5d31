"""What happened, told from the roll-ups: a page of numbers, latencies, one metric of one's own."""

from typing import Any

from actors.actor import actor
from actors.analytics_lists import first_queries, first_used, queries_by
from actors.analytics_span import (
    DAILY,
    DAY,
    SHAPES,
    Span,
    conditions,
    percentiles,
    refuse_unknown_zone,
    span,
)
from contracts.analytics_answers import (
    BY_HOUR,
    METRICS,
    Answer,
    AskDashboard,
    AskLatency,
    AskReport,
    Dashboard,
    Row,
    value,
)
from contracts.analytics_answers import QueryList as Queries
from storage.postgres.store import Store, Transaction

SHOWN = 10  # rows of each list on the dashboard
TREND = ("searches", "empty", "clicked", "viewed", "copied", "worked", "failed", "created")


@actor(queue="reads", read=True)
def dashboard(request: AskDashboard, store: Store) -> Dashboard:
    """The numbers of a period on one page. Raises: ValidationFailed for an unknown zone."""
    asked = span(request, request.zone)
    where = ("category",) if request.category else ("all",)
    with store.transaction() as tx:
        refuse_unknown_zone(tx, request.zone)
        return Dashboard(
            since=asked.since,
            until=asked.until,
            **(_of_all(tx, asked) if request.category is None else _of_one(tx, request.category)),
            totals=_totals(tx, asked, where, request.category),
            before=_totals(tx, asked.before(), where, request.category),
            popular_entries=first_used(tx, asked, SHOWN, category=request.category),
            rows=_trend(tx, asked, request),
        )


@actor(queue="reads", read=True)
def latency(request: AskLatency, store: Store) -> Answer:
    """Percentiles of the time that searches took; each is at most 9 % above the true one."""
    asked = span(request, request.zone, request.by)
    with store.transaction() as tx:
        refuse_unknown_zone(tx, request.zone)
        found = tx.rows(
            "analytics_answers.latency_over_time",
            **asked.hours,
            by=request.by,
            zone=request.zone,
            shape=SHAPES.get(request.by, DAILY),
        )
    rows = []
    for row in found:
        counted = list(zip(row["buckets"], map(int, row["counts"]), strict=True))
        searches = sum(count for _, count in counted)
        rows.append({request.by: row["key"], "searches": searches, **percentiles(counted)})
    return Answer(since=asked.since, until=asked.until, rows=tuple(rows))


@actor(queue="reads", read=True)
def report(request: AskReport, store: Store) -> Answer:
    """One metric, grouped and narrowed as asked. Raises: ValidationFailed for an unknown zone."""
    asked = span(request, request.zone, request.by)
    with store.transaction() as tx:
        refuse_unknown_zone(tx, request.zone)
        if request.table == "hour":
            groups = _by_hour(tx, asked, request)
        else:
            groups = _by_day(tx, asked, request)
    rows = [
        {
            request.by: key,
            **({"title": counts["title"]} if counts.get("title") else {}),
            request.metric: value(request.metric, counts),
        }
        for key, counts in groups.items()
    ]
    if request.by == "category":
        rows.sort(key=lambda row: -(row[request.metric] or 0))
    elif request.by in SHAPES:  # of times the newest
        rows = sorted(rows, key=lambda row: row[request.by])[-request.limit :]
    return Answer(since=asked.since, until=asked.until, rows=tuple(rows[: request.limit]))


def _by_hour(tx: Transaction, asked: Span, request: AskReport) -> dict[str, Row]:
    metrics = _needed(request.metric)
    if request.by == "category":
        where = ("category",) if request.category else ("each",)
        given = {"metrics": metrics, "category": request.category, **asked.parts}
        rows = tx.rows("analytics_answers.over_categories", where, **given)
    else:
        rows = _over_time(tx, asked, request.by, request.zone, request.category, metrics)
    return _pivoted(rows)


def _over_time(
    tx: Transaction, asked: Span, by: str, zone: str, category: str | None, metrics: list[str]
) -> list[Row]:
    where = ("category",) if category else ("all",)
    given: dict[str, Any] = {
        **{"metrics": metrics, "by": by, "zone": zone, "category": category},
        "shape": SHAPES.get(by, DAILY),
        **asked.hours,
    }
    if zone != "UTC" and by != "hour":
        return tx.rows("analytics_answers.over_days_of_zone", where, step=f"1 {by}", **given)
    return tx.rows("analytics_answers.over_time", where, **given)


def _by_day(tx: Transaction, asked: Span, request: AskReport) -> dict[str, Row]:
    if request.by not in SHAPES:
        return _by_name(tx, asked, request)
    given: dict[str, Any] = {"by": request.by, "shape": SHAPES[request.by], **asked.days}
    if request.table == "query":
        rows = tx.rows("analytics_lists.queries_over_time", query=request.query, **given)
    else:
        limits = _limits(request)
        where = conditions(**limits)
        rows = tx.rows("analytics_lists.entries_over_time", where, **given, **limits)
    return {row["key"]: row for row in rows}


def _by_name(tx: Transaction, asked: Span, request: AskReport) -> dict[str, Row]:
    first_by, limits = next(iter(METRICS[request.metric].over)), _limits(request)
    given: dict[str, Any] = {"first_by": first_by, "limit": request.limit, **asked.days}
    if request.by == "query":
        names = [request.query] if request.query is not None else None
        rows = queries_by(tx, asked, first_by, request.limit, names)
        return {row["query"]: row for row in rows}
    where = conditions(**limits)
    if request.by == "tag" and not where:
        rows = tx.rows("analytics_lists.over_tags", **given)
    elif request.by == "entry" and first_by == "used" and not where:
        return {str(row["id"]): row for row in first_used(tx, asked, request.limit)}
    else:
        rows = tx.rows("analytics_lists.over_entries", where, by=request.by, **given, **limits)
    return {row["key"]: row for row in rows}


def _limits(request: AskReport) -> dict[str, Any]:
    return {"category": request.category, "tag": request.tag, "entry": request.entry}


def _of_all(tx: Transaction, asked: Span) -> dict[str, Any]:
    """What a dashboard has that is not counted by category."""
    stock = tx.row("analytics_answers.stock", until=asked.until + DAY)
    return {
        "entries": stock["live"] if stock else 0,
        "archived": stock["archived"] if stock else 0,
        "latency_ms": _percentiles(tx, asked),
        "popular_queries": first_queries(tx, asked, Queries.POPULAR, SHOWN),
        "unanswered_queries": first_queries(tx, asked, Queries.UNANSWERED, SHOWN),
    }


def _of_one(tx: Transaction, category: str) -> dict[str, Any]:
    """Instead of that the category's name."""
    known = tx.row("analytics_answers.category", category=category)
    not_counted = ("entries", "archived", "latency_ms", "popular_queries", "unanswered_queries")
    return {"category": known["name"] if known else None, **dict.fromkeys(not_counted)}


def _needed(metric: str) -> list[str]:
    formula = METRICS[metric]
    return sorted({*formula.over, *(formula.under or {})})


def _pivoted(rows: list[Row]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row["key"], {})[row["metric"]] = row["value"]
    return found


def _totals(
    tx: Transaction, asked: Span, where: tuple[str, ...], category: str | None
) -> dict[str, int | float | None]:
    rows = tx.rows(
        "analytics_answers.totals", where, metrics=sorted(BY_HOUR), category=category, **asked.parts
    )
    counts = {row["metric"]: row["value"] for row in rows}
    return {metric: value(metric, counts) for metric in METRICS if set(_needed(metric)) <= BY_HOUR}


def _percentiles(tx: Transaction, asked: Span) -> dict[str, float | None]:
    rows = tx.rows("analytics_answers.latency", **asked.parts)
    return percentiles([(row["bucket"], int(row["searches"])) for row in rows])


def _trend(tx: Transaction, asked: Span, request: AskDashboard) -> tuple[Row, ...]:
    rows = _over_time(tx, asked, "day", request.zone, request.category, list(TREND))
    return tuple(
        {
            "day": day,
            **{metric: round(counts.get(metric, 0)) for metric in TREND},
            "success_rate": value("success_rate", counts),
        }
        for day, counts in _pivoted(rows).items()
    )
