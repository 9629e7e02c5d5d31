"""Events: recorded in batches, counted by hour, day, entry and query; old ones go by the month."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from psycopg.errors import CheckViolation

from actors.actor import actor
from actors.warming import Warmth, cool
from contracts.analytics import EventsRecorded, RecordEvents, RolledUp, RollUp, time_of
from contracts.base import Nothing
from storage.cache.answers import STATISTICS
from storage.postgres.store import Store, Transaction

log = logging.getLogger(__name__)

AHEAD = 2  # months whose partition is there before they begin
CLOCKS_APART = timedelta(days=1)  # of two machines, at most: a later event is garbage
TURN = 20_000  # events a transaction, about: an open one holds the change feed back (0.3 s)
CHANGES = 20_000  # changes of entries a transaction
TOLD_EVERY = 300  # seconds between two times that the index is told of one entry's counters
TOLD_MOST = 500  # entries a roll-up

COUNTS = ("count_events", "count_queries", "count_latency", "count_entries", "count_clicks")
#: What names an entry's day or a query goes with the events; totals of days stay.
PRUNED = ("hours", "latency", "queries", "entries", "tags", "clicks")


@dataclass(frozen=True)
class EventRetention:
    """How long events are kept; a resource made by the worker's root from its settings."""

    days: int

    def bounds(self) -> tuple[int, int]:
        """Between which Unix milliseconds, as ids have them, events lie that are to be kept."""
        now = time.time()
        return (
            int(1000 * (now - timedelta(days=self.days).total_seconds())),
            int(1000 * (now + CLOCKS_APART.total_seconds())),
        )


@actor(queue="analytics")
def record(command: RecordEvents, store: Store, retention: EventRetention) -> EventsRecorded:
    """Keep a batch of events, each once by its id; makes the partition of a month that has none.

    Passes over those that are older than what is kept, and those of a broken clock.
    """
    since, until = retention.bounds()
    events = tuple(event for event in command.events if since < event.id.int >> 80 < until)
    if len(events) < len(command.events):
        log.warning("%d events are too old, or of a future", len(command.events) - len(events))
    if not events:
        return EventsRecorded(recorded=0)
    batch = RecordEvents(events=events).model_dump_json(exclude_none=True)
    try:
        return _record(store, batch)
    except CheckViolation:  # no partition
        with store.transaction() as tx:
            for month in sorted({f"{time_of(event.id):%Y-%m}-01T00:00Z" for event in events}):
                tx.row("analytics.make_month", at=month)
        return _record(store, batch)


def _record(store: Store, batch: str) -> EventsRecorded:
    with store.transaction() as tx:
        row = tx.row("analytics.record", batch=batch)
    return EventsRecorded(recorded=row["events"] if row else 0)


@actor(queue="upkeep", time_limit=timedelta(minutes=5))
def roll_up(request: RollUp, store: Store, warmth: Warmth) -> RolledUp:
    """Count what is not counted yet: events in turns of some batches, then changes of entries.

    A turn takes its batches' names and adds their events in one transaction: killed anywhere, it
    has counted them wholly or not at all. Events are counted for the time at which they were,
    whenever they come. Afterwards no answer that was made from what was counted before is fresh.
    """
    events = changes = 0
    while counted := _count_batches(store):
        events += counted
    with store.transaction() as tx:
        tx.run("analytics_rollup.lock")
        tx.run("analytics_rollup.count_stock")
        if tx.run("analytics_rollup.tell_index", seconds=TOLD_EVERY, limit=TOLD_MOST):
            tx.notify()
    while counted := _count_changes(store):
        changes += counted
    # Though nothing was counted: a run before may have been killed between counting and this.
    cool(warmth, STATISTICS)
    return RolledUp(events=events, changes=changes)


def _count_batches(store: Store) -> int:
    with store.transaction() as tx:
        tx.run("analytics_rollup.lock")
        taken = tx.rows("analytics_rollup.take", most=TURN)
        if taken:
            batches = [row["id"] for row in taken]
            for counts in COUNTS:
                tx.run(f"analytics_rollup.{counts}", batches=batches)
    return sum(row["events"] for row in taken)


def _count_changes(store: Store) -> int:
    """Count a slice of the change feed. What was before a restore is not counted again."""
    with store.transaction() as tx:
        tx.run("analytics_rollup.lock")
        epoch = tx.position(0, 0).epoch
        counted = tx.row("analytics_rollup.feed_counted") or {"epoch": epoch, "txid": "0", "seq": 0}
        if counted["epoch"] != epoch:
            _set_counted(tx, epoch, tx.row("feed.head") or {"txid": "0", "seq": 0})
            return 0
        found = tx.row("analytics_rollup.count_changes", limit=CHANGES, **_place(counted))
        if found is None:
            return 0
        _set_counted(tx, epoch, found)
    return int(found["changes"])


def _set_counted(tx: Transaction, epoch: str, place: dict[str, object]) -> None:
    tx.run("analytics_rollup.set_feed_counted", epoch=epoch, **_place(place))


def _place(row: dict[str, object]) -> dict[str, object]:
    return {"txid": row["txid"], "seq": row["seq"]}


@actor(queue="upkeep", time_limit=timedelta(minutes=5))
def keep(request: Nothing, store: Store, retention: EventRetention) -> Nothing:
    """Make the partitions of the months to come, and drop those that ended long enough ago."""
    with store.transaction() as tx:
        tx.rows("analytics.make_months", ahead=AHEAD)
    with store.transaction() as tx:
        dropped = tx.rows("analytics.drop_months", days=retention.days)
        for room in PRUNED:
            tx.run(f"analytics.prune_{room}", days=retention.days)
        tx.run("analytics.prune_usage")
    if dropped:
        log.info("dropped %s", ", ".join(row["removed"] for row in dropped))
    return Nothing()
