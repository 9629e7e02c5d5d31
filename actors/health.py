"""How the system is: looked at on a schedule, kept for a while, judged by the alerts' rules."""

from datetime import timedelta
from typing import Any

from dramatiq import Message
from psycopg.types.json import Jsonb

from actors import alerts, analytics
from actors.actor import actor
from actors.alerting import rules
from actors.alerting.channels import Outage
from actors.alerting.samples import Node, Sample, facts, numbers
from actors.broker import queues
from actors.broker.broker import StreamsBroker
from contracts.alerts import NotifyAlert
from contracts.analytics import Event, EventKind, RecordEvents
from contracts.base import Nothing, new_id
from contracts.health import HealthHistory, HealthSample, ListSamples, NodeFacts
from storage.index.searcher import IndexReader
from storage.postgres.store import Row, Store, Transaction

EVERY = timedelta(seconds=15)
SLACK = EVERY.total_seconds() / 2  # so much sooner may a sample come than after whole intervals
GAP = 5.0  # seconds: a second sample within them is a second delivery
#: Seconds: longer than any rule looks. A node that was silent for so long has vanished.
LOOK_BACK = 660.0


@actor(queue="health", time_limit=timedelta(seconds=60))
def judge(request: NodeFacts, store: Store, broker: StreamsBroker, outage: Outage) -> Nothing:
    """Keep a sample of the node that tells this, judge it, and have people told."""
    states = queues.states(broker, broker.all_queues())
    with outage.asking():
        sample = numbers(request, states, store)
        with store.transaction() as tx:
            tx.run("health.lock")
            if tx.row("health.add", node=request.node, numbers=Jsonb(sample), gap=GAP) is not None:
                rows = tx.rows("health.recent", seconds=LOOK_BACK)
                _judge(tx, request.node, [Sample(**row) for row in rows])
            untold = tx.rows("alerts.untold")
    for row in untold:
        if row["state"] == "firing":
            broker.enqueue_once(_raised(row), f"alert:{row['id']}:event")
        message = alerts.notify.message(NotifyAlert(id=row["id"], state=row["state"]))
        broker.enqueue_once(message, f"alert:{row['id']}:{row['state']}")
    return Nothing()


@actor(queue="health", time_limit=timedelta(seconds=60))
def observe(
    request: Nothing,
    node: Node,
    store: Store,
    broker: StreamsBroker,
    index: IndexReader,
    outage: Outage,
) -> Nothing:
    """As `judge`, of this worker's node: the release before asks for it while both run."""
    return judge(facts(node, index), store, broker, outage)


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


def _judge(tx: Transaction, node: str, samples: list[Sample]) -> None:
    """Of other nodes' alerts only those are ended whose node has vanished."""
    holding = rules.holding(samples, node)
    others = {one.node for one in samples} - {node}
    theirs = [f"{rule.name} {one[:200]}" for rule in rules.RULES if rule.of_node for one in others]
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
        tx.run("alerts.fire", hold=one.rule.hold - SLACK, **named)
    tx.run(
        "alerts.settle",
        holding=theirs + [f"{one.rule.name} {one.subject[:200]}" for one in holding],
        rules=[rule.name for rule in rules.RULES],
    )
