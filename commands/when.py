"""Times on the command line."""

import re
from datetime import UTC, datetime, timedelta

import click

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def when(value: str) -> datetime:
    """A time from how long ago it was (`90s`, `15m`, `2h`, `3d`, `1w`), or from ISO 8601.

    Without a zone it is local time. Raises: click.BadParameter, saying what can be written.
    """
    try:
        if found := re.fullmatch(r"(\d+)([smhdw])", value):
            return datetime.now(UTC) - timedelta(**{UNITS[found[2]]: int(found[1])})
        return datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError):
        message = f"{value!r} is neither like 90s, 15m, 2h, 3d nor a time in ISO 8601"
        raise click.BadParameter(message) from None


def shown(at: datetime | None) -> str:
    """A time as people here read it: of today without the date."""
    if at is None:
        return ""
    local = at.astimezone()
    return f"{local:%H:%M:%S}" if _is_today(local) else f"{local:%Y-%m-%d %H:%M:%S}"


def since(at: datetime) -> str:
    """A time to the minute, of another day its date."""
    local = at.astimezone()
    return f"{local:%H:%M}" if _is_today(local) else f"{local:%Y-%m-%d}"


def _is_today(local: datetime) -> bool:
    return local.date() == datetime.now().astimezone().date()
