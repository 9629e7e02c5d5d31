"""Events of tests: their ids say when they were, and are the same in every run."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.analytics import Event, EventKind

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)


def event_id(number: int, at: datetime = NOON) -> UUID:
    """A UUIDv7 of this moment."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | number)


def event(number: int, kind: EventKind, at: datetime = NOON, **fields: Any) -> Event:
    """An event of this moment."""
    return Event(id=event_id(number, at), kind=kind, **fields)


def searched(number: int, query: str, hits: tuple[UUID, ...] = (), **fields: Any) -> Event:
    """A search that found `hits`, in 2 ms."""
    values = {"query": query, "normalised": query, "total": len(hits), "took_ms": 2.0}
    shown = tuple(map(str, hits))
    return event(number, EventKind.SEARCHED, hits=shown, **(values | fields))
