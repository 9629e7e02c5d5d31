"""One list of checks: what each of them means for the whole."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import DatabaseUnavailable
from contracts.health import Check, Health
from pipelines import health
from pipelines.checks import Asked
from pipelines.health import Checked


async def well(asked: Asked) -> Check:
    """Finds nothing."""
    return Check(ok=True, facts={"count": asked.count})


async def bad(asked: Asked) -> Check:
    """Finds something."""
    return Check(ok=False, reason="it is slow")


async def away(asked: Asked) -> Check:
    """Can't be asked."""
    raise DatabaseUnavailable(reason="refused")


async def nothing(asked: Asked) -> None:
    """Has nothing to look at."""


def looked(monkeypatch: pytest.MonkeyPatch, *checks: Checked) -> Health:
    """What these checks come to."""
    monkeypatch.setattr(health, "CHECKS", checks)
    nobody: Any = None
    return asyncio.run(health.look(nobody, Path(), count=True))


def test_all_is_well_where_every_check_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is timed; one that has nothing to look at is not told of."""
    found = looked(monkeypatch, Checked("a", well, "", required=True), Checked("b", nothing, ""))
    assert (found.status, list(found.checks)) == ("ready", ["a"])
    assert found.checks["a"].facts == {"count": True}
    assert found.checks["a"].ms is not None


def test_what_is_found_degrades(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in what is required: it answers. And what is not required may be away."""
    found = looked(monkeypatch, Checked("a", bad, "", required=True), Checked("b", away, ""))
    assert found.status == "degraded"
    assert found.checks["b"].code == "DATABASE_UNAVAILABLE"


def test_what_is_required_and_away_makes_it_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are told of all the same."""
    found = looked(monkeypatch, Checked("a", away, "", required=True), Checked("b", well, ""))
    assert (found.status, found.checks["b"].ok) == ("not ready", True)


def test_every_check_says_what_to_do() -> None:
    """For `casebook doctor`; and names are names."""
    assert all(one.remedy for one in health.CHECKS)
    assert len({one.name for one in health.CHECKS}) == len(health.CHECKS)
