"""Events are kept once and counted once, whatever is missing, late or killed."""

import logging
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from actors import analytics, entries
from contracts.analytics import Event, EventKind, RecordEvents, RollUp
from contracts.base import Nothing
from contracts.entries import ChangeEntryState, CreateEntry, EntryChanges, EntryFields, UpdateEntry
from storage.postgres.statements import statement
from tests.support.events import NOON, event, event_id, searched
from tests.support.house import House
from tests.support.waiting import SOON

PROGRAM = Path(__file__).parents[1] / "programs" / "roll_up.py"


def record(house: House, *events: Event) -> int:
    """Keep events in one batch; how many were new."""
    new: int = house.call(analytics.record, RecordEvents(events=events)).recorded
    return new


def entry(house: House, title: str, category: str = "VSAM") -> UUID:
    """A new entry's id."""
    fields = EntryFields(title=title, category=category)
    found: UUID = house.call(entries.create, CreateEntry(entry=fields)).entry.id
    return found


def counts(house: House, table: str = "event_days") -> dict[str, float]:
    """Every metric's sum, changes of entries apart."""
    rows = house.rows(f"select metric, sum(value) as n from {table} where category = '' group by 1")
    return {row["metric"]: row["n"] for row in rows if row["metric"] not in ("created", "updated")}


def months(house: House) -> list[str]:
    """The partitions there are."""
    rows = house.rows("select inhrelid::regclass::text as name from pg_inherits order by 1")
    return [row["name"] for row in rows if row["name"].count("_") == 2 and "idx" not in row["name"]]


def test_a_batch_is_kept_once(house: House) -> None:
    """The same events again, or some of them among others, are not kept again."""
    first = [event(n, EventKind.VIEWED, entry_id=event_id(9)) for n in range(3)]
    assert record(house, *first) == 3
    assert record(house, *first) == 0
    assert record(house, first[0], first[0], event(7, EventKind.EXPORTED)) == 1
    assert [row["n"] for row in house.rows("select count(*) as n from events")] == [4]
    assert [row["events"] for row in house.rows("select events from event_batches")] == [3, 1]


def test_a_month_without_a_partition_gets_one(house: House) -> None:
    """Whichever month an event is of; none is lost, and each lies in its own."""
    earlier = datetime.now(UTC) - timedelta(days=60)
    record(house, event(1, EventKind.EXPORTED), event(2, EventKind.EXPORTED, at=earlier))
    names = {f"events_{at:%Y_%m}" for at in (NOON, earlier)}
    assert set(months(house)) == names
    found = house.rows("select tableoid::regclass::text as name, at from events")
    assert {row["name"] for row in found} == names
    assert {row["at"] for row in found} == {
        NOON,
        earlier.replace(microsecond=earlier.microsecond // 1000 * 1000),
    }


def test_what_no_clock_shows_is_passed_over(house: House) -> None:
    """Older than what is kept, of next week, of the year 10889: the rest of the batch is kept."""
    now = datetime.now(UTC)
    old, ahead = now - timedelta(days=91), now + timedelta(days=7)
    beyond = UUID(int=(2**48 - 1) << 80 | 0x7 << 76 | 0x2 << 62)
    assert (
        record(
            house,
            event(1, EventKind.EXPORTED),
            event(2, EventKind.EXPORTED, at=old),
            event(3, EventKind.EXPORTED, at=ahead),
            Event(id=beyond, kind=EventKind.EXPORTED),
        )
        == 1
    )


def test_upkeep_makes_months_ahead_and_drops_old_ones(house: House) -> None:
    """A month goes when all of it is older than what is kept."""
    house.call(analytics.keep, Nothing())
    assert len(months(house)) == analytics.AHEAD + 1
    with house.store.transaction() as tx:
        for at in ("2020-01-15", "2020-02-01"):
            tx.row("analytics.make_month", at=at)
    house.call(analytics.keep, Nothing())
    assert not [name for name in months(house) if "2020" in name]


def test_events_are_counted_once(house: House) -> None:
    """By hour, day, query and entry; a second roll-up finds nothing."""
    first, second = entry(house, "first"), entry(house, "second", "DB2")
    record(
        house,
        searched(1, "vsam status 35", (first, second)),
        searched(2, "vsam status 35", (first, second), took_ms=8.0),
        searched(3, "no such thing"),
        event(4, EventKind.VIEWED, entry_id=second, search_id=event_id(1)),
        event(5, EventKind.COPIED, entry_id=first, search_id=event_id(1)),
        event(6, EventKind.RATED, entry_id=second, rating=4, worked=True),
        event(7, EventKind.RATED, entry_id=second, worked=False),
        event(8, EventKind.VIEWED, entry_id=uuid4()),
    )
    assert house.call(analytics.roll_up, RollUp()).events == 8
    expected = {
        **{"searches": 3.0, "empty": 1.0, "took_ms": 12.0, "clicked": 1.0, "ranked": 1.0},
        **{"reciprocal": 0.5, "viewed": 2.0, "copied": 1.0, "ratings": 1.0, "rating_sum": 4.0},
        **{"worked": 1.0, "failed": 1.0},
    }
    assert counts(house) == counts(house, "event_hours") == expected
    usage = house.rows("select * from entry_usage order by entry_id")
    found = [(row["entry_id"], row["usage"], row["success"], row["failure"]) for row in usage]
    assert sorted(found) == sorted([(first, 1, 0, 0), (second, 1, 1, 1)])
    assert [row["shown"] for row in house.rows("select shown from entry_days")] == [2, 2]
    queries = house.rows("select query, searches, empty, clicked from query_days order by 1")
    assert [tuple(row.values()) for row in queries] == [
        ("no such thing", 1, 1, 0),
        ("vsam status 35", 2, 0, 1),
    ]
    buckets = house.rows("select sum(searches) as n from search_latency")
    assert buckets[0]["n"] == 3
    assert house.call(analytics.roll_up, RollUp()).events == 0
    assert counts(house) == expected


def test_batches_are_counted_in_turns(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever their sizes, and also one that is larger than a turn."""
    monkeypatch.setattr(analytics, "TURN", 4)
    numbers = iter(range(100))
    for size in (1, 2, 3, 9, 1):
        record(house, *(searched(next(numbers), "a") for _ in range(size)))
    assert analytics._count_batches(house.store) == 1 + 2 + 3
    assert analytics._count_batches(house.store) == 9
    assert house.call(analytics.roll_up, RollUp()).events == 1
    assert counts(house)["searches"] == 16


def test_a_late_event_counts_where_it_belongs(house: House) -> None:
    """In the hour in which it was, though that was rolled up before."""
    record(house, searched(1, "a"))
    house.call(analytics.roll_up, RollUp())
    record(house, searched(2, "a"))
    house.call(analytics.roll_up, RollUp())
    rows = house.rows(
        "select hour, value from event_hours where metric = 'searches' and category = ''"
    )
    assert [(row["hour"], row["value"]) for row in rows] == [(NOON, 2.0)]


def test_a_clock_that_jumps_loses_nothing(house: House) -> None:
    """Ahead, then back: ids come out of order, and each event counts in the hour that it names."""
    jumps = (NOON, NOON + timedelta(hours=3), NOON - timedelta(hours=3))
    for number, at in enumerate(jumps):
        record(house, event(number, EventKind.EXPORTED, at=at))
        house.call(analytics.roll_up, RollUp())
    rows = house.rows(
        "select hour, value from event_hours where metric = 'exported' and category = ''"
    )
    assert {row["hour"]: row["value"] for row in rows} == dict.fromkeys(jumps, 1)


def test_only_a_searchs_first_click_counts(house: House) -> None:
    """Also where the others come later, and with the rank that the search showed."""
    one, two = entry(house, "one"), entry(house, "two")
    record(house, searched(1, "a", (one, two), first=10))
    record(house, event(2, EventKind.VIEWED, entry_id=two, search_id=event_id(1), rank=1))
    house.call(analytics.roll_up, RollUp())
    record(house, event(3, EventKind.VIEWED, entry_id=one, search_id=event_id(1)))
    house.call(analytics.roll_up, RollUp())
    assert counts(house)["clicked"] == 1
    assert counts(house)["reciprocal"] == pytest.approx(1 / 12)


def test_an_open_transaction_hides_no_batch(house: House) -> None:
    """A batch that commits after a later one was counted is counted too."""
    with psycopg.connect(house.store.url) as slow:
        record(house, event(9, EventKind.EXPORTED))  # the month's partition
        body = RecordEvents(events=(event(1, EventKind.EXPORTED),)).model_dump_json()
        slow.execute(statement("analytics.record"), {"batch": body})
        record(house, event(2, EventKind.EXPORTED))
        assert house.call(analytics.roll_up, RollUp()).events == 2
    assert house.call(analytics.roll_up, RollUp()).events == 1
    assert counts(house)["exported"] == 3


def test_a_roll_up_that_fails_in_the_middle_has_counted_nothing(house: House) -> None:
    """Its batches are still there, and the next one counts them once."""
    record(house, searched(1, "a"), searched(2, "b"))
    with house.store.transaction() as tx:
        tx.connection.execute("alter table search_latency add check (searches < 0)")
    with pytest.raises(psycopg.errors.CheckViolation):
        house.call(analytics.roll_up, RollUp())
    assert counts(house) == {}
    with house.store.transaction() as tx:
        tx.connection.execute(
            "alter table search_latency drop constraint search_latency_searches_check"
        )
    house.call(analytics.roll_up, RollUp())
    assert counts(house)["searches"] == 2


def test_a_roll_up_that_is_killed_has_counted_nothing(house: House) -> None:
    """SIGKILL between its statements: nothing is counted, then everything once."""
    record(house, *(searched(n, "a") for n in range(20)))
    program = subprocess.Popen(
        [sys.executable, str(PROGRAM), house.store.url], stdout=subprocess.PIPE, env=os.environ
    )
    assert program.stdout is not None
    assert program.stdout.readline() == b"in the middle\n"
    program.send_signal(signal.SIGKILL)
    program.wait(SOON)
    program.stdout.close()
    assert counts(house) == {}
    assert house.call(analytics.roll_up, RollUp()).events == 20
    assert counts(house)["searches"] == 20


def test_changes_of_entries_come_from_the_feed(house: House) -> None:
    """Created, updated, deleted; what tells the index of counters is none of them."""
    kept, gone = entry(house, "kept"), entry(house, "gone")
    for solution in ("a", "b"):
        changes = EntryChanges(solution=solution)
        house.call(entries.update, UpdateEntry(id=kept, changes=changes))
    house.call(analytics.roll_up, RollUp())
    house.call(entries.delete, ChangeEntryState(id=gone))
    record(house, *(event(n, EventKind.VIEWED, entry_id=kept) for n in range(5)))
    house.call(analytics.roll_up, RollUp())
    fed = house.rows("select count(*) as n from changes where entry_id = %s", kept)[0]["n"]
    assert fed == 4, "the index was told"
    house.call(analytics.roll_up, RollUp())
    rows = house.rows(
        "select metric, sum(value) as n from event_days where category = '' group by 1"
    )
    found = {row["metric"]: row["n"] for row in rows}
    assert (found["created"], found["updated"], found["deleted"]) == (2, 2, 1)


def test_views_touch_no_entry(house: House) -> None:
    """No version, no row, and one line in the change feed for many of them."""
    seen = entry(house, "seen")
    before = house.rows("select xmin::text, version from entries")
    for batch in range(4):
        record(house, *(event(10 * batch + n, EventKind.VIEWED, entry_id=seen) for n in range(5)))
        house.call(analytics.roll_up, RollUp())
    assert house.rows("select xmin::text, version from entries") == before
    assert house.rows("select count(*) as n from changes")[0]["n"] == 2
    with house.store.transaction() as tx:
        row = tx.row("analytics.entry_usage", ids=[seen])
    assert row is not None
    assert (row["usage"], row["success"], row["last_used_at"]) == (20, 0, NOON)


def test_after_a_restore_the_feed_is_counted_from_where_it_is(house: House) -> None:
    """Its transactions have other numbers then: what was counted is not counted again."""
    entry(house, "before")
    house.call(analytics.roll_up, RollUp())
    with house.store.transaction() as tx:
        tx.connection.execute("update epoch set restores = restores + 1")
    house.store._epochs.clear()  # a restore ends every connection
    assert house.call(analytics.roll_up, RollUp()).changes == 0
    entry(house, "after")
    assert house.call(analytics.roll_up, RollUp()).changes == 1


def test_the_months_of_events_are_looked_up_by_id(house: House) -> None:
    """A range of time is a range of ids: the months outside of it are not read."""
    record(
        house,
        event(1, EventKind.EXPORTED),
        event(2, EventKind.EXPORTED, at=NOON - timedelta(days=60)),
    )
    plan = house.rows(
        "explain select * from events where id >= uuid_at(%s)", NOON - timedelta(hours=1)
    )
    text = " ".join(row["QUERY PLAN"] for row in plan)
    assert f"events_{NOON:%Y_%m}" in text
    assert f"events_{NOON - timedelta(days=60):%Y_%m}" not in text


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What is passed over here is meant to be."""
    caplog.set_level(logging.ERROR)
