"""The period that a question is about, and what every answer needs."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg.errors import InvalidParameterValue

from contracts.analytics_answers import PERIOD, Period
from contracts.errors import ValidationFailed
from storage.postgres.store import Transaction

DAY = timedelta(days=1)
LONG = timedelta(days=7)  # from here on days are added up instead of hours, where they serve
_START = datetime.min.replace(tzinfo=UTC)
DAILY = "YYYY-MM-DD"
SHAPES = {"hour": "YYYY-MM-DD HH24:MI", "day": DAILY, "week": DAILY, "month": "YYYY-MM"}
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


class Span(NamedTuple):
    """A period, and whether days serve for it."""

    since: datetime
    until: datetime
    daily: bool

    @property
    def days(self) -> dict[str, Any]:
        """Its first and last day in UTC."""
        return {"first": self.since.date(), "last": (self.until - timedelta(seconds=1)).date()}

    @property
    def hours(self) -> dict[str, Any]:
        """For statements that can read either."""
        return {"since": self.since, "until": self.until, "daily": self.daily}

    @property
    def parts(self) -> dict[str, Any]:
        """Whole days of UTC, and the hours before and after them, which may be none."""
        first = self.since + (_START - self.since) % DAY
        end = max(first, self.until - (self.until - _START) % DAY)
        if first >= self.until:  # within a day
            first = end = self.until
        return {
            "since": self.since,
            "head_end": first,
            "first_day": first.date(),
            "end_day": end.date(),
            "tail": end,
            "until": self.until,
        }

    def before(self) -> "Span":
        """The period of the same length before."""
        return Span(self.since - (self.until - self.since), self.since, self.daily)


def span(asked: Period, zone: str = "UTC", by: str = "day") -> Span:
    """The period in whole hours; in whole days where it is long and those of UTC serve."""
    until = (asked.until or datetime.now(UTC)).astimezone(UTC)
    since = (asked.since or until - PERIOD).astimezone(UTC)
    daily = zone == "UTC" and by != "hour" and until - since >= LONG
    step = DAY if daily else timedelta(hours=1)
    return Span(since - (since - _START) % step, until + (_START - until) % step, daily)


def percentiles(counted: list[tuple[int, int]]) -> dict[str, float | None]:
    """From buckets in order and their counts; each is the upper end of the bucket it lies in."""
    whole = sum(count for _, count in counted)
    found: dict[str, float | None] = dict.fromkeys(PERCENTILES)
    for name, share in PERCENTILES.items():
        seen = 0
        for bucket, count in counted:
            seen += count
            if seen >= share * whole:
                found[name] = round(2 ** (bucket / 8), 3)
                break
    return found


def refuse_unknown_zone(tx: Transaction, zone: str) -> None:
    try:
        tx.row("analytics_answers.zone", zone=zone)
    except InvalidParameterValue:
        message = f"{zone!r} is no time zone; one is, for example, Europe/Berlin"
        error = {"field": "zone", "code": "ZONE_UNKNOWN", "message": message}
        raise ValidationFailed("There is no such time zone.", errors=[error]) from None


def conditions(**limits: Any) -> tuple[str, ...]:
    """The conditions on entries that are given."""
    return tuple(f"of_{name}" for name, given in limits.items() if given is not None)
