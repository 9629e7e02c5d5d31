"""Warming: what is popular is computed before it is asked for, within bounds, in nobody's way."""

import asyncio
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from redis import Redis

from actors import analytics, entries, search, warming, warming_choice
from actors.actor import Operation
from actors.metrics.meters import Meters
from actors.warming import Cooled, Traffic, Warmth
from contracts.analytics import Event, EventKind, RecordEvents, RollUp
from contracts.entries import ChangeEntryState, CreateEntry, EntryFields, GetEntry
from contracts.errors import DatabaseUnavailable
from contracts.search import SearchQuery
from contracts.suggest import Suggest
from contracts.warming import WarmAnswers, Warmed
from storage.breaker import Breaker
from storage.cache import answers
from storage.cache.hot import Hot
from storage.cache.last_known import LastKnown
from storage.cache.layer import Kept
from storage.cache.layers import Cache
from storage.cache.warm import Warm
from storage.index.current import Current
from storage.index.follower import Follower
from storage.postgres.store import Store
from tests.support.events import event
from tests.support.house import House
from tests.support.waiting import SOON

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
OF_VSAM, OF_ALL = SearchQuery(q="open fails", category=("VSAM",)), SearchQuery(q="Deadlock of DB2")
ALL = {"statistics": 3, "query": 2, "suggestion": 10, "entry": 1}


@pytest.fixture
def follower(house: House, tmp_path: Path) -> Iterator[Follower]:
    """The writer of the house's index."""
    follower = Follower(tmp_path / "index", house.store)
    yield follower
    follower.close()


@pytest.fixture
def popular(house: House, follower: Follower, own_redis_url: str) -> House:
    """A house with two entries, what was asked lately, and a warm layer."""
    warmth: Warmth = house.broker.resources[Warmth]
    house.broker.resources[Warmth] = dataclasses.replace(warmth, url=own_redis_url)
    add(house, "Open fails with 35", "VSAM")
    db2 = add(house, "Deadlock of DB2", "DB2")
    follower.step()
    recorded(
        house,
        *(asked(n, OF_ALL.q, NOW - timedelta(days=2)) for n in range(3)),
        *(asked(n, OF_VSAM.q, filters={"category": ["VSAM"]}) for n in range(10, 12)),
        event(20, EventKind.VIEWED, NOW, entry_id=db2),
    )
    return house


def add(house: House, title: str, category: str) -> UUID:
    """A new entry's id."""
    command = CreateEntry(entry=EntryFields(title=title, category=category))
    found: UUID = house.call(entries.create, command).entry.id
    return found


def asked(number: int, query: str, at: datetime = NOW, **fields: Any) -> Event:
    """Somebody has searched, and found an entry."""
    values = {"query": query, "normalised": query, "total": 1, "took_ms": 2.0, "first": 0}
    return event(number, EventKind.SEARCHED, at, **(values | fields))


def recorded(house: House, *events: Event) -> None:
    """They happened, and are counted."""
    house.call(analytics.record, RecordEvents(events=events))
    house.call(analytics.roll_up, RollUp())


def warm(house: House, **bounds: float) -> Warmed:
    """The report of a run."""
    bounds = {"rate": 10_000, **bounds}
    report: Warmed = house.call(warming.warm, WarmAnswers(**bounds))
    return report


def layer(house: House) -> Warm:
    """The warm layer, for one event loop."""
    return Warm(house.broker.resources[Warmth].url, Breaker("test"), SOON)


def is_warm(house: House, operation: Operation[Any, Any], request: BaseModel) -> bool:
    """Whether a shim would give this answer without asking an actor."""

    async def look() -> bool:
        async with layer(house) as kept:
            found = await kept.get(answers.key_of(operation.name, request))
        fresh = Current(house.broker.resources[Warmth].index).fresh()
        return found is not None and answers.is_fresh(operation.name, request, found, fresh)

    return asyncio.run(look())


def test_what_is_popular_is_warm(popular: House) -> None:
    """Searches as they were asked, their beginnings, entries, statistics; once is enough."""
    meters = popular.broker.resources[Meters] = Meters()
    first = warm(popular)
    assert (first.ended, first.warmed, first.fresh, first.failed, first.left) == (
        *("done", ALL, {}, {}, 0),
    )
    assert is_warm(popular, search.query, OF_ALL)
    assert is_warm(popular, search.query, OF_VSAM)
    assert is_warm(popular, search.suggest, Suggest(q="Dea"))
    assert not is_warm(popular, search.query, SearchQuery(q="deadlock of db2"))
    again = warm(popular)
    assert (again.warmed, again.fresh) == ({}, ALL)
    assert meters.registry.get_sample_value("casebook_warmed_total", {"kind": "query"}) == 2
    runs = {"ended": "done"}
    assert meters.registry.get_sample_value("casebook_warming_runs_total", runs) == 2


def test_a_commit_cools_what_it_touched(popular: House, follower: Follower) -> None:
    """A search in another category stays as it is."""
    warm(popular)
    add(popular, "Another deadlock of DB2", "DB2")
    follower.step()
    assert not is_warm(popular, search.query, OF_ALL)
    assert is_warm(popular, search.query, OF_VSAM)
    assert warm(popular).warmed["query"] == 1
    assert is_warm(popular, search.query, OF_ALL)


def test_a_roll_up_cools_statistics(popular: House) -> None:
    """What was made from what was counted before is no answer of now; the next run warms it."""

    async def token() -> str | None:
        async with layer(popular) as kept:
            return await kept.token(answers.STATISTICS)

    warm(popular)
    before = asyncio.run(token())
    assert (warm(popular).fresh["statistics"], asyncio.run(token())) == (3, before)
    popular.call(analytics.roll_up, RollUp())
    assert asyncio.run(token()) not in (None, before)
    assert warm(popular).warmed == {"statistics": 3}


def test_the_newer_the_more_popular(popular: House) -> None:
    """Three of the day before yesterday count less than two of now; what was masked or found
    nothing counts nothing."""
    recorded(
        popular,
        *(asked(n, "nothing", total=0) for n in range(30, 40)),
        *(asked(n, "of <email>") for n in range(40, 50)),
        *(asked(n, "x" * 300, normalised="x") for n in range(50, 60)),
        *(asked(n, "page two", total=30, first=10) for n in range(60, 70)),
    )
    chosen = warming_choice.wishes(popular.store, 10)
    assert [one.request for one in chosen if one.kind == "query"] == [OF_VSAM, OF_ALL]
    typed = [one.request for one in chosen if one.kind == "suggestion"]
    assert typed[:2] == [Suggest(q="op"), Suggest(q="ope")]
    assert len(warming_choice.wishes(popular.store, 1)) == 3 + 1 + 1


def test_an_entry_is_kept_for_a_bad_day(popular: House) -> None:
    """It is never given as the answer of now."""
    warm(popular)
    (wish,) = [one for one in warming_choice.wishes(popular.store, 10) if one.kind == "entry"]

    async def look() -> bytes:
        async with layer(popular) as kept:
            found = await kept.get(answers.key_of(entries.get.name, wish.request))
        assert found is not None
        return found.body

    assert b"Deadlock of DB2" in asyncio.run(look())
    assert isinstance(wish.request, GetEntry)
    assert not is_warm(popular, entries.get, wish.request)


def test_an_entry_that_was_deleted_is_known_no_more(popular: House) -> None:
    """By whomever it was: shims that have it hot ask the warm layer before they give it."""
    (wish,) = [one for one in warming_choice.wishes(popular.store, 10) if one.kind == "entry"]
    assert isinstance(wish.request, GetEntry)
    key = answers.key_of(entries.get.name, wish.request)

    async def known() -> bool:
        hot = Hot(100_000)
        await hot.set(key, Kept(b'{"version": 1}'), 60)
        async with layer(popular) as kept:
            return await LastKnown(Cache(hot, kept)).find(key, lambda kept: True) is not None

    assert asyncio.run(known())
    popular.call(entries.delete, ChangeEntryState(id=wish.request.id))
    assert warm(popular).failed == {"ENTRY_NOT_FOUND": 1}
    assert not asyncio.run(known())


def test_it_ends_in_time(popular: House) -> None:
    """At its rate no second answer fits into the time: the rest is left, what was made stays."""
    report = warm(popular, within=1.0, rate=0.5)
    assert (report.ended, report.warmed) == ("time", {"statistics": 1})
    assert report.left == sum(ALL.values())
    assert warm(popular).fresh == {"statistics": 1}


def test_it_gives_way_to_searches(popular: House) -> None:
    """While they wait for a worker nothing is computed."""
    for _ in range(2):
        popular.send(search.query, SearchQuery(q="live"))
    report = warm(popular, within=0.3)
    assert (report.ended, report.warmed) == ("busy", {})
    assert report.stood_back > 0
    popular.broker.flush("search")
    assert warm(popular, within=60).ended == "done"


def test_one_run_at_a_time(popular: House) -> None:
    """A run that was killed costs the time that it might have taken, and no more."""

    async def claim(seconds: float) -> str | None:
        async with layer(popular) as kept:
            return await kept.claim(warming.CLAIM, seconds)

    assert asyncio.run(claim(600))
    assert warm(popular).ended == "another"
    with Redis.from_url(popular.broker.resources[Warmth].url) as redis:
        (name,) = redis.keys("*:c:*")
        redis.pexpire(name, 1)
        while redis.exists(name):
            pass
    assert warm(popular).ended == "done"


def test_what_a_killed_run_has_kept_stays(popular: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it but the last few answers; the next run goes on from there."""
    turns, ebbs = iter(range(100)), Traffic.ebbs
    monkeypatch.setattr(warming, "BATCH", 2)

    async def until_killed(self: Traffic, until: float) -> bool:
        if next(turns) == 5:
            raise SystemExit
        return await ebbs(self, until)

    monkeypatch.setattr(Traffic, "ebbs", until_killed)
    with pytest.raises(SystemExit):
        warm(popular)
    monkeypatch.setattr(Traffic, "ebbs", ebbs)
    assert sum(warm(popular).fresh.values()) == 4


def test_without_a_warm_layer_nothing_fails(popular: House) -> None:
    """It is said, and no time is spent on what can't be kept."""
    warmth: Warmth = popular.broker.resources[Warmth]
    nowhere = dataclasses.replace(warmth, url="redis://127.0.0.1:1", breaker=Breaker("cache"))
    popular.broker.resources[Warmth] = nowhere
    assert (warm(popular).ended, warm(popular).warmed) == ("away", {})
    popular.broker.resources[Warmth] = dataclasses.replace(warmth, url="")
    assert warm(popular).ended == "off"


def test_without_postgresql_it_waits(popular: House) -> None:
    """Nobody knows what is popular: the message comes again."""
    nowhere = Store("postgresql://nobody@127.0.0.1:1/none")
    warmth: Warmth = popular.broker.resources[Warmth]
    with pytest.raises(DatabaseUnavailable):
        warming.warm(WarmAnswers(), nowhere, popular.broker, warmth)


def test_what_can_not_be_computed_is_told(popular: House) -> None:
    """An index that is away costs the others nothing."""
    for path in popular.broker.resources[Warmth].index.glob("published*"):
        path.unlink()
    report = warm(popular)
    assert (report.ended, report.failed) == ("done", {"INDEX_UNAVAILABLE": 12})
    assert report.warmed == {"statistics": 3, "entry": 1}


def test_a_commit_asks_for_a_run_once_in_a_while(house: House) -> None:
    """However often it is told; and of several who ask, one message waits."""
    queue = warming.warm.queue
    told = Cooled(house.broker)
    for cooled in (told, Cooled(house.broker)):
        cooled()
    assert house.broker.depth(queue)["delayed"] == 1
    house.broker.flush(queue)
    told()
    assert house.broker.depth(queue)["delayed"] == 0
