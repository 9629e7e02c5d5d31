"""Alerts: what somebody has to know, until it is over."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.base import Contract, Text, Write


class AlertState(StrEnum):
    """Pending ones, whose rule has not held long enough, are nobody's concern yet."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Alert(Contract):
    """One rule about one subject (a queue, a node; "": the whole system)."""

    id: UUID
    rule: str
    subject: str
    severity: str
    state: AlertState
    value: float
    threshold: float
    message: str
    since: datetime
    changed_at: datetime
    acknowledged_by: str | None = None
    note: str | None = None


class ListAlerts(Contract):
    """Which alerts: those that are not over, unless asked for."""

    state: AlertState | None = None
    everything: bool = False
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class Alerts(Contract):
    """The last to change first."""

    alerts: tuple[Alert, ...]


class AcknowledgeAlert(Write):
    """Somebody looks after it: it is not told again, and resolves by itself."""

    id: UUID
    note: Annotated[Text, Field(max_length=500)] = ""


class NotifyAlert(Contract):
    """Tell every channel that the alert came into this state."""

    id: UUID
    state: AlertState
