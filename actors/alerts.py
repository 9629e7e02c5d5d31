"""Alerts: listed, acknowledged, told."""

from datetime import timedelta

from actors.actor import actor
from actors.alerting.channels import OVER, Channels
from contracts.alerts import (
    AcknowledgeAlert,
    Alert,
    Alerts,
    AlertState,
    ListAlerts,
    NotifyAlert,
)
from contracts.base import Nothing
from contracts.errors import AlertNotFiring, AlertNotFound, NotTold
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction


@actor(queue="operators", read=True)
def list_page(request: ListAlerts, store: Store) -> Alerts:
    """The alerts that are not over, or all; the last to change first."""
    with store.transaction() as tx:
        rows = tx.rows("alerts.list", **request.model_dump())
    return Alerts(alerts=tuple(_alert(row) for row in rows))


@actor(queue="operators")
def acknowledge(command: AcknowledgeAlert, store: Store) -> Alert:
    """Note who looks after it. Raises: AlertNotFound, AlertNotFiring."""

    def effect(tx: Transaction) -> Alert:
        row = tx.row("alerts.acknowledge", id=command.id, by=command.by, note=command.note)
        if row is None:
            found = tx.row("alerts.get", id=command.id)
            if found is None or found["state"] == "pending":
                raise AlertNotFound(id=str(command.id))
            raise AlertNotFiring(f"The alert is {found['state']}.", state=found["state"])
        return _alert(row)

    return once(store, "alerts.acknowledge", command, Alert, effect)


@actor(queue="health", max_retries=10, time_limit=timedelta(seconds=60))
def notify(request: NotifyAlert, store: Store, channels: Channels) -> Nothing:
    """Tell each channel once of a state. Raises: NotTold; those that were told stay told.

    Outside, "once" can't be promised: killed between sending and noting it, it sends again. The
    alert's id and state are in what is sent.
    """
    failed: list[NotTold] = []
    for channel, tell in channels.all().items():
        with store.transaction() as tx:
            row = tx.row("alerts.get", id=request.id)
        if row is None or row["state"] != request.state:
            break  # it went on meanwhile, and that is told by another message
        if row["told"].get(channel) == request.state:
            continue
        try:
            tell(_told(row))
        except NotTold as error:
            failed.append(error)
            continue
        with store.transaction() as tx:
            tx.run("alerts.told", id=request.id, channel=channel, state=request.state)
    if failed:  # one that was tried uses up an attempt, one that is left alone does not
        raise min(failed, key=lambda error: error.not_yet)
    return Nothing()


def _told(row: Row) -> Alert:
    over = {"message": OVER} if row["state"] == AlertState.RESOLVED else {}
    return _alert(row | over)


def _alert(row: Row) -> Alert:
    return Alert(**{name: row[name] for name in Alert.model_fields})
