"""How the system is: looked at on a schedule, kept for a while, judged by the alerts' rules."""

from datetime import timedelta
from typing import Any

from dramatiq import Message
from psycopg.types.json import Jsonb

from actors import alerts, analytics
from actors.actor import actor
from actors.alerting import rules
from actors.alerting.channels import Outage
from actors.alerting.samples import Node, Sample, take
from actors.broker.broker import StreamsBroker
from contracts.alerts import NotifyAlert
from contracts.analytics import Event, EventKind, RecordEvents
from contracts.base import Nothing, new_id
from contracts.errors import DatabaseUnavailable
from contracts.health import HealthHistory, HealthSample, ListSamples
from storage.index.searcher import IndexReader
from storage.postgres.store import Row, Store, Transaction

EVERY = timedelta(seconds=15)
GAP = 5.0  # seconds: a second sample within them is a second delivery
LOOK_BACK = 660.0  # seconds: longer than any rule looks


@actor(queue="health", time_limit=timedelta(seconds=60))
def observe(
    request: Nothing,
    node: Node,
    store: Store,
    broker: StreamsBroker,
    index: IndexReader,
    outage: Outage,
) -> Nothing:
    """Take a sample of this worker's node, judge it, and have people told."""
    try:
        numbers = take(node, store, broker, index)
    except DatabaseUnavailable:
        outage.goes_on()
        raise
    outage.is_over()
    with store.transaction() as tx:
        tx.run("health.lock")
        if tx.row("health.add", node=node.name, numbers=Jsonb(numbers), gap=GAP) is not None:
            rows = tx.rows("health.recent", node=node.name, seconds=LOOK_BACK)
            _judge(tx, [Sample(row["at"], row["numbers"]) for row in rows])
        untold = tx.rows("alerts.untold")
    for row in untold:
        if row["state"] == "firing":
            broker.enqueue_once(_raised(row), f"alert:{row['id']}:event")
        message = alerts.notify.message(NotifyAlert(id=row["id"], state=row["state"]))
        broker.enqueue_once(message, f"alert:{row['id']}:{row['state']}")
    return Nothing()


def _raised(row: Row) -> Message[Any]:
    """Have the event kept; it has the alert's id, so that an alert is one event."""
    details = {name: row[name] for name in ("rule", "subject", "severity")}
    event = Event(id=row["id"], kind=EventKind.ALERT_RAISED, details=details)
    return analytics.record.message(RecordEvents(events=(event,)))


@actor(queue="reads", read=True)
def history(request: ListSamples, store: Store) -> HealthHistory:
    """Samples, the newest first."""
    with store.transaction() as tx:
        rows = tx.rows("health.history", **request.model_dump())
    return HealthHistory(samples=tuple(HealthSample(**row) for row in rows))


def _judge(tx: Transaction, samples: list[Sample]) -> None:
    holding = rules.holding(samples)
    for one in holding:
        named = {"rule": one.rule.name, "subject": one.subject[:200]}
        tx.run(
            "alerts.raise",
            id=new_id(),
            severity=one.rule.severity,
            value=one.value,
            threshold=one.rule.threshold,
            message=one.message,
            **named,
        )
        tx.run("alerts.fire", hold=one.rule.hold, **named)
    tx.run(
        "alerts.settle",
        holding=[f"{one.rule.name} {one.subject[:200]}" for one in holding],
        rules=[rule.name for rule in rules.RULES],
    )
