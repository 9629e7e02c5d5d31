"""Answers about what happened: each number is what the events say."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import ValidationError

from actors import analytics, analytics_answers, analytics_lists, entries, imports
from contracts.analytics import Event, EventKind, RecordEvents, RollUp
from contracts.analytics_answers import (
    METRICS,
    AskActivity,
    AskDashboard,
    AskEntry,
    AskLatency,
    AskReport,
    EntryList,
    ListQueries,
    ListUsedEntries,
    QueryList,
)
from contracts.entries import ChangeEntryState, CreateEntry, EntryChanges, EntryFields, UpdateEntry
from contracts.errors import EntryNotFound, ValidationFailed
from contracts.imports import FinishImport, ImportChunk, ImportRow, StartImport
from deploy.postgres import EmbeddedPostgres
from storage.postgres.store import Store
from tests.support.copies import of_database
from tests.support.events import event, event_id, searched
from tests.support.house import House, make_house

#: Two days ago at noon in UTC, and the evening before: another day in Berlin at 23:30.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
NIGHT = NOON.replace(hour=23, minute=30) - timedelta(days=1)
WEEK_AGO = NOON - timedelta(days=12)
PERIOD = {"since": NOON - timedelta(days=20), "until": NOON + timedelta(days=1)}


@dataclass(frozen=True)
class Told:
    """A house where something happened, and its entries by title."""

    house: House
    ids: dict[str, UUID]

    def ask(self, operation: Any, request: Any) -> Any:
        """The answer."""
        return self.house.call(operation, request)

    def report(self, metric: str, **spec: Any) -> list[tuple[Any, ...]]:
        """The rows of a report."""
        request = AskReport(metric=metric, **(PERIOD | spec))
        return [tuple(row.values()) for row in self.ask(analytics_answers.report, request).rows]


def happened(ids: dict[str, UUID]) -> list[Event]:
    """One story: vsam is asked for and found, db2 is rising, a ghost is never found."""
    vsam, deadlock, jcl = ids["vsam 35"], ids["deadlock"], ids["jcl error"]
    return [
        searched(1, "vsam 35", (vsam, jcl), at=WEEK_AGO, category="vsam", took_ms=1.0),
        searched(2, "vsam 35", (vsam, jcl), at=NIGHT, took_ms=100.0),
        searched(3, "vsam 35", (jcl, vsam), took_ms=1.0),
        *(searched(10 + n, "sqlcode -911", (deadlock,), took_ms=1.0) for n in range(4)),
        *(searched(20 + n, "ghost", took_ms=1.0) for n in range(2)),
        event(30, EventKind.VIEWED, entry_id=vsam, search_id=event_id(3)),
        event(31, EventKind.COPIED, entry_id=vsam, search_id=event_id(3)),
        event(32, EventKind.VIEWED, at=NIGHT, entry_id=vsam, search_id=event_id(2, NIGHT)),
        event(33, EventKind.VIEWED, entry_id=jcl),
        *(event(40 + n, EventKind.RATED, entry_id=vsam, worked=True, rating=5) for n in range(9)),
        event(50, EventKind.RATED, entry_id=vsam, worked=False, comment="not on the second run"),
        event(51, EventKind.RATED, entry_id=jcl, worked=True, rating=4),
    ]


def new_entry(
    house: House, title: str, category: str = "Other", tags: tuple[str, ...] = ()
) -> UUID:
    """Its id."""
    fields = EntryFields(title=title, category=category, tags=tags)
    found: UUID = house.call(entries.create, CreateEntry(entry=fields)).entry.id
    return found


@pytest.fixture(scope="module")
def told(
    shared_postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    """One for all tests of this module: they only read."""
    name = f"told_{uuid4().hex[:8]}"
    with psycopg.connect(shared_postgres.url, autocommit=True) as session:
        session.execute(f"create database {name} template template_casebook".encode())
    store = Store(of_database(shared_postgres.url, name))
    store.open()
    house = make_house("unix:///nowhere", store, Path(tmp_path_factory.mktemp("index")))
    ids = {}
    for title, category, tags in (
        ("vsam 35", "VSAM", ("open", "file")),
        ("deadlock", "DB2", ("lock",)),
        ("jcl error", "JCL", ("file",)),
        ("never found", "Other", ()),
    ):
        ids[title] = new_entry(house, title, category, tags)
    with store.transaction() as tx:
        tx.connection.execute(
            "update entries set created_at = created_at - interval '300 days',"
            " updated_at = updated_at - interval '300 days'"
        )
        tx.connection.execute("update changes set at = at - interval '300 days'")
    house.call(analytics.record, RecordEvents(events=tuple(happened(ids))))
    house.call(analytics.roll_up, RollUp())
    yield Told(house, ids)
    store.close()


def test_the_dashboard_has_the_numbers_of_the_period(told: Told) -> None:
    """Beside those of the one before, with a row a day and the first of each list."""
    page = told.ask(analytics_answers.dashboard, AskDashboard(**PERIOD))
    assert (page.entries, page.archived) == (4, 0)
    numbers = {
        name: page.totals[name] for name in ("searches", "empty", "clicked", "viewed", "worked")
    }
    assert numbers == {"searches": 9, "empty": 2, "clicked": 2, "viewed": 3, "worked": 10}
    assert page.totals["click_through"] == round(2 / 7, 4)
    assert page.totals["reciprocal_rank"] == round((1 / 2 + 1) / 2, 4)
    assert page.totals["success_rate"] == round(10 / 11, 4)
    assert page.before["searches"] == 0
    assert page.before["success_rate"] is None
    assert [row["searches"] for row in page.rows] == [1, 1, 7]
    assert [row["query"] for row in page.popular_queries] == ["sqlcode -911", "vsam 35", "ghost"]
    assert [row["query"] for row in page.unanswered_queries] == ["ghost"]
    assert [row["title"] for row in page.popular_entries] == ["vsam 35", "jcl error"]
    assert page.latency_ms["p50"] == pytest.approx(1.0)
    assert 100 <= page.latency_ms["p99"] <= 109.1


def test_a_dashboard_of_one_category(told: Told) -> None:
    """Searches that were narrowed to it, and what happened to its entries."""
    page = told.ask(analytics_answers.dashboard, AskDashboard(category="vsam", **PERIOD))
    assert (page.totals["searches"], page.totals["viewed"], page.totals["worked"]) == (1, 2, 9)
    assert [row["title"] for row in page.popular_entries] == ["vsam 35"]
    assert page.category == "VSAM"
    of_all = (page.entries, page.archived, page.latency_ms)
    assert (*of_all, page.popular_queries, page.unanswered_queries) == (None,) * 5


@pytest.mark.parametrize(("category", "known"), [("VSAMM", None), ("(none)", "(none)")])
def test_a_dashboard_says_which_category_it_knows(
    told: Told, category: str, known: str | None
) -> None:
    """Of one that is misspelt nothing is counted; searches that named none have a name."""
    page = told.ask(analytics_answers.dashboard, AskDashboard(category=category, **PERIOD))
    assert (page.category, page.totals["searches"]) == (known, 8 if known else 0)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (QueryList.POPULAR, ["sqlcode -911", "vsam 35", "ghost"]),
        (QueryList.RISING, ["sqlcode -911", "ghost", "vsam 35"]),
        (QueryList.UNANSWERED, ["ghost"]),
        (QueryList.UNCLICKED, ["sqlcode -911", "vsam 35"]),
    ],
)
def test_lists_of_queries(told: Told, which: QueryList, expected: list[str]) -> None:
    """Each in its order."""
    answer = told.ask(analytics_lists.queries, ListQueries(list=which, **PERIOD))
    assert [row["query"] for row in answer.rows] == expected


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (EntryList.POPULAR, ["vsam 35", "jcl error"]),
        (EntryList.BEST, ["vsam 35", "jcl error"]),
        (EntryList.UNFOUND, ["never found"]),
        (EntryList.STALE, ["vsam 35", "jcl error", "deadlock", "never found"]),
    ],
)
def test_lists_of_entries(told: Told, which: EntryList, expected: list[str]) -> None:
    """Each in its order, and narrowed by category and tag."""
    answer = told.ask(analytics_lists.entries, ListUsedEntries(list=which, **PERIOD))
    assert [row["title"] for row in answer.rows] == expected
    narrowed = ListUsedEntries(list=which, tag="file", category="jcl", **PERIOD)
    rows = told.ask(analytics_lists.entries, narrowed).rows
    assert [row["title"] for row in rows] == [one for one in expected if one == "jcl error"]


def test_the_best_are_those_that_are_surely_good(told: Told) -> None:
    """Nine of ten stand above one of one (Wilson's lower bound at 95 %)."""
    answer = told.ask(analytics_lists.entries, ListUsedEntries(list=EntryList.BEST, **PERIOD))
    assert [row["sure"] for row in answer.rows] == [0.5958, 0.2065]


def test_one_entry(told: Told) -> None:
    """Its counters, its days and what was said of it."""
    found = told.ask(analytics_lists.entry, AskEntry(id=told.ids["vsam 35"], **PERIOD))
    assert (found.usage, found.success, found.failure, found.shown) == (3, 9, 1, 3)
    assert (found.success_rate, found.mean_rating) == (0.9, 5.0)
    assert [row["used"] for row in found.rows] == [0, 1, 2]
    assert [row["comment"] for row in found.comments] == ["not on the second run"]
    with pytest.raises(EntryNotFound):
        told.ask(analytics_lists.entry, AskEntry(id=uuid4()))


def test_a_day_begins_where_people_are(told: Told) -> None:
    """23:30 in UTC is the next day in Berlin, and a zone's week and month begin with its days."""
    utc = told.report("searches")
    berlin = told.report("searches", zone="Europe/Berlin")
    next_day = f"{NIGHT + timedelta(days=1):%Y-%m-%d}"
    assert utc[-2:] == [(f"{NIGHT:%Y-%m-%d}", 1), (f"{NOON:%Y-%m-%d}", 7)]
    assert f"{NOON:%Y-%m-%d}" == next_day
    assert berlin[-1] == (next_day, 8)
    with pytest.raises(ValidationFailed):
        told.report("searches", zone="Europe/Atlantis")


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        (
            {"metric": "searches", "by": "hour", "since": NOON, "until": NOON + timedelta(hours=2)},
            [(f"{NOON:%Y-%m-%d %H:%M}", 7)],
        ),
        ({"metric": "searches", "by": "category"}, [("(none)", 8), ("VSAM", 1)]),
        ({"metric": "searches", "by": "category", "category": "vsam"}, [("VSAM", 1)]),
        ({"metric": "searches", "by": "category", "category": "Nowhere"}, []),
        (
            {
                **{"metric": "searches", "by": "category", "category": "VSAM"},
                **{"since": WEEK_AGO, "until": WEEK_AGO + timedelta(hours=3)},
            },
            [("VSAM", 1)],
        ),
        ({"metric": "success_rate", "by": "category"}, [("JCL", 1.0), ("VSAM", 0.9)]),
        ({"metric": "used", "by": "tag"}, [("file", 4), ("open", 3), ("lock", 0)]),
        ({"metric": "shown", "by": "category", "tag": "lock"}, [("DB2", 4)]),
        ({"metric": "click_through", "by": "query", "limit": 1}, [("vsam 35", 0.6667)]),
        ({"metric": "searches", "by": "query", "query": "ghost"}, [("ghost", 2)]),
        ({"metric": "mean_ms", "by": "query", "query": "ghost"}, [("ghost", 1.0)]),
    ],
)
def test_a_report(told: Told, spec: dict[str, Any], rows: list[Any]) -> None:
    """One metric, grouped and narrowed."""
    assert told.report(**spec) == rows


def test_every_metric_can_be_asked_for(told: Told) -> None:
    """By every group that it is counted by; the others are refused with those that are."""
    answered = set()
    for metric in METRICS:
        for by in ("hour", "day", "week", "month", "category", "tag", "entry", "query"):
            with contextlib.suppress(ValidationError):
                told.report(metric, by=by)
                answered.add(metric)
    with pytest.raises(ValidationError, match="these are: searches, empty"):
        AskReport(metric="viewed", by="query")
    assert answered == set(METRICS)


@pytest.mark.parametrize(
    "spec",
    [
        {"metric": "salaries"},
        {"metric": "searches; drop table events"},
        {"metric": "searches", "by": "who"},
        {"metric": "searches", "by": "entry"},
        {"metric": "searches", "by": "query", "category": "VSAM"},
        {"metric": "viewed", "by": "query", "entry": UUID(int=0)},
        {"metric": "viewed", "by": "query", "tag": "file"},
        {"metric": "used", "by": "entry", "zone": "Europe/Berlin"},
        {"metric": "searches", "zone": "'; select 1"},
        {"metric": "searches", "since": NOON, "until": NOON},
        {"metric": "searches", "since": NOON - timedelta(days=2_000), "until": NOON},
        {"metric": "searches", "since": NOON.replace(tzinfo=None)},
        {"metric": "searches", "limit": 10**9},
    ],
)
def test_a_spec_that_means_nothing_is_refused(spec: dict[str, Any]) -> None:
    """Before it is asked; never SQL of a stranger's."""
    with pytest.raises(ValidationError):
        AskReport(**spec)


def test_latency_over_time(told: Told) -> None:
    """Percentiles of each day."""
    rows = told.ask(analytics_answers.latency, AskLatency(**PERIOD)).rows
    assert [row["searches"] for row in rows] == [1, 1, 7]
    assert rows[0]["p99"] == pytest.approx(1.0)
    assert 100 <= rows[1]["p50"] <= 109.1
    rows = told.ask(analytics_answers.latency, AskLatency(by="hour", **PERIOD)).rows
    assert [row["hour"][-5:] for row in rows] == ["12:00", "23:00", "12:00"]


def test_what_happened_last(told: Told) -> None:
    """Ratings, copies and changes, the newest first; changes of one transaction are one."""
    rows = told.ask(analytics_lists.activity, AskActivity()).rows
    assert [row["kind"] for row in rows].count("rated") == 11
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    assert rows[0]["title"]
    changes = [row["title"] for row in rows if row["kind"] in ("created", "updated", "deleted")]
    assert changes == ["never found", "jcl error", "deadlock", "vsam 35"], "and nobody's counters"
    assert {row["kind"] for row in rows} == {"rated", "copied", "created"}
    older = told.ask(analytics_lists.activity, AskActivity(before=NOON, limit=2)).rows
    assert len(older) == 2
    assert all(row["at"] < NOON for row in older)


def test_activity_tells_what_became_of_an_entry(house: House) -> None:
    """Created, updated or deleted, as it is counted; what one transaction did to many, by kind."""
    first, second = (new_entry(house, title) for title in ("first", "second"))
    house.call(entries.update, UpdateEntry(id=first, changes=EntryChanges(title="first of all")))
    house.call(entries.archive, ChangeEntryState(id=second))
    house.call(entries.update, UpdateEntry(id=first, changes=EntryChanges(title="the first")))
    with house.store.transaction() as tx:
        tx.run("feed.append", entry_id=first, op="put")  # the index is told something else
    import_id = house.call(imports.start, StartImport(source="tickets")).id
    for number, titles in enumerate((("a", "b", "c"), ("a", "B", "d"))):
        rows = (
            ImportRow(line=n, data={"external_id": title.lower(), "title": f"row {title}"})
            for n, title in enumerate(titles, 1)
        )
        chunk = ImportChunk(import_id=import_id, chunk=number, digest="d", rows=tuple(rows))
        house.call(imports.chunk, chunk)
    house.call(imports.finish, FinishImport(import_id=import_id, chunks=2))
    house.call(entries.delete, ChangeEntryState(id=second))
    rows = house.call(analytics_lists.activity, AskActivity()).rows
    told = [(row["kind"], row.get("number"), row.get("title")) for row in rows]
    assert told[:2] == [("deleted", 1, None), ("imported", None, None)]
    assert set(told[2:4]) == {("created", 1, "row d"), ("updated", 1, "row B")}
    assert told[4:] == [
        ("created", 3, "row a"),
        ("updated", 1, "the first"),
        ("updated", 1, "the first"),
        ("created", 1, "the first"),
    ], "of an entry that is gone only that is known; the index was told of the rest"
    assert (rows[1]["source"], rows[1]["rows"]) == ("tickets", 6)
    newest = house.call(analytics_lists.activity, AskActivity(limit=3)).rows
    assert len(newest) == 3


def test_activity_tells_which_alert_was_raised(house: House) -> None:
    """By its rule and what it is about, or by the saved search that found something."""
    alert = {"rule": "CasebookDeadLetters", "subject": "imports", "severity": "warning"}
    events = tuple(
        event(n, EventKind.ALERT_RAISED, details=details)
        for n, details in enumerate(({"search": "locks", "version": 2}, alert))
    )
    house.call(analytics.record, RecordEvents(events=events))
    raised, found = house.call(analytics_lists.activity, AskActivity()).rows
    assert (raised["rule"], raised["subject"]) == ("CasebookDeadLetters", "imports")
    assert (found["search"], "rule" in found) == ("locks", False)
