"""What happened, from the search in a browser to the numbers on a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from actors import analytics, tuning
from contracts.analytics import RollUp
from contracts.base import Nothing
from tests.support.casebook import Casebook, running
from tests.support.dying import broker_of, until


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casebook]:
    """One of this module's own: others search the shared one."""
    settings = {"CASEBOOK_EVENTS_RATE": "50"}
    with running(tmp_path_factory.mktemp("data"), "--sample", **settings) as casebook:
        yield casebook


@pytest.fixture
def web(ours: Casebook) -> Iterator[httpx.Client]:
    """A client of it."""
    with ours.http() as client:
        yield client


def roll_up(casebook: Casebook) -> None:
    """Ask for a roll-up, as the schedule does once a minute."""
    broker_of(casebook).enqueue(analytics.roll_up.message(RollUp()))


def counted(casebook: Casebook, http: httpx.Client, metric: str, at_least: int = 1) -> int:
    """The metric of these days, once it is so large."""

    def found() -> Any:
        roll_up(casebook)
        totals = http.get("/v1/analytics/dashboard").raise_for_status().json()["totals"]
        return totals[metric] >= at_least and (totals[metric], True)

    return int(until(found)[0])


def test_a_search_and_its_click_are_counted(ours: Casebook, web: httpx.Client) -> None:
    """The reply's header names the search, so that the click can."""
    reply = web.get("/v1/search", params={"q": "S0C7"}, headers={"Casebook-Session": "tab 1"})
    search_id, hit = reply.headers["Casebook-Search-Id"], reply.json()["hits"][0]
    assert UUID(search_id).version == 7
    web.post("/v1/search", json={"q": "zzqq"}).raise_for_status()
    events = [
        {"type": "viewed", "entry_id": hit["id"], "search_id": search_id},
        {"type": "rated", "entry_id": hit["id"], "worked": True, "rating": 5},
    ]
    taken = web.post("/v1/events", json={"events": events})
    assert (taken.status_code, taken.json()) == (202, {"accepted": 2, "refused": []})
    assert counted(ours, web, "clicked") == 1
    assert counted(ours, web, "worked") >= 1
    page = web.get("/v1/analytics/dashboard").json()
    assert page["totals"]["reciprocal_rank"] == 1.0
    assert page["popular_entries"][0]["id"] == hit["id"]
    unanswered = web.get("/v1/analytics/queries", params={"list": "unanswered"}).json()["rows"]
    assert [row["query"] for row in unanswered] == ["zzqq"]
    metrics = web.get(f"/v1/analytics/entries/{hit['id']}").json()
    assert (metrics["usage"], metrics["success"], metrics["rows"][0]["viewed"]) == (1, 1, 1)


def test_what_is_done_is_counted(ours: Casebook, web: httpx.Client, tmp_path: Path) -> None:
    """A key's first use in a day is a login; reading what a search showed, a view; an export."""
    reply = web.get("/v1/search", params={"q": "S0C4"})
    search_id, hit = reply.headers["Casebook-Search-Id"], reply.json()["hits"][0]["id"]
    before = counted(ours, web, "viewed", 0)
    page = f"/v1/entries/{hit}"
    assert web.get(page, headers={"Casebook-Search-Id": "none"}).status_code == 422
    assert web.get(page).status_code == 200
    assert web.get(page, headers={"Casebook-Search-Id": search_id}).status_code == 200
    assert counted(ours, web, "viewed", before + 1) == before + 1
    assert ours.run("export", "--output", str(tmp_path / "all.ndjson")).code == 0
    assert counted(ours, web, "exported") == 1
    assert counted(ours, web, "logins") == 1


def test_a_search_on_the_command_line_is_counted(ours: Casebook, web: httpx.Client) -> None:
    """As one in a browser is, by its words as they are kept."""
    assert ours.run("search", "Snarkling", "--json").code == 0

    def found() -> Any:
        roll_up(ours)
        rows = web.get("/v1/analytics/queries", params={"list": "unanswered"}).json()["rows"]
        return [row for row in rows if row["query"] == "snarkling"]

    assert until(found)[0]["searches"] == 1


def test_what_many_ask_for_is_suggested(ours: Casebook, web: httpx.Client) -> None:
    """Three searches that found something, counted, published, and typed in part."""
    for _ in range(3):
        web.get("/v1/search", params={"q": "Abend  of a night job"}).raise_for_status()

    def found() -> Any:
        roll_up(ours)
        broker_of(ours).enqueue(tuning.popularise.message(Nothing()))
        reply = web.get("/v1/suggest", params={"q": "abend of a n"}).json()
        return [one["text"] for one in reply["suggestions"] if one["kind"] == "query"]

    assert until(found) == ["abend of a night job"]


def test_answers_as_csv(ours: Casebook, web: httpx.Client) -> None:
    """For whoever asks for it; what a spreadsheet would run is text."""
    web.get("/v1/search", params={"q": "=cmd() zzqq"}).raise_for_status()

    def found() -> Any:
        roll_up(ours)
        reply = web.get("/v1/analytics/queries", headers={"Accept": "text/csv"})
        return reply if "cmd" in reply.text else None

    reply = until(found)
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    head, *lines = reply.text.splitlines()
    assert head.startswith("query,searches,empty,clicked")
    assert any(line.startswith("'=cmd() zzqq,1,") for line in lines)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("queries?list=secret", 422, "VALIDATION_FAILED"),
        ("report?metric=salaries", 422, "VALIDATION_FAILED"),
        ("report?metric=searches&by=entry", 422, "VALIDATION_FAILED"),
        ("report?metric=searches&zone=Mars/Olympus", 422, "VALIDATION_FAILED"),
        (
            "dashboard?since=2026-01-01T00:00:00Z&until=2025-01-01T00:00:00Z",
            422,
            "VALIDATION_FAILED",
        ),
        (f"entries/{UUID(int=0)}", 404, "ENTRY_NOT_FOUND"),
        ("entries/x", 422, "VALIDATION_FAILED"),
    ],
)
def test_bad_questions(web: httpx.Client, path: str, status: int, code: str) -> None:
    """Each gets a clear error."""
    reply = web.get(f"/v1/analytics/{path}")
    assert (reply.status_code, reply.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 422, "VALIDATION_FAILED"),
        (b'{"events": []}', 422, "VALIDATION_FAILED"),
        (b'{"events": [{"type": "danced"}]}', 422, "VALIDATION_FAILED"),
        (
            b'{"events": [{"type": "exported", "comment": "' + b"x" * 2**20 + b'"}]}',
            413,
            "MESSAGE_TOO_LARGE",
        ),
    ],
)
def test_bad_events(web: httpx.Client, body: bytes, status: int, code: str) -> None:
    """Neither unknown types nor a megabyte of comment come further than the shim."""
    reply = web.post("/v1/events", content=body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_a_flood_is_refused(web: httpx.Client) -> None:
    """From one key, with when to come again; searches go on."""
    batch = {"events": [{"type": "exported"}] * 100}

    def refused() -> Any:
        reply = web.post("/v1/events", json=batch)
        return reply if reply.status_code == 429 else None

    reply = until(refused)
    assert (reply.json()["code"], reply.headers["Retry-After"]) == ("RATE_LIMITED", "1")
    assert web.get("/v1/search", params={"q": "S0C7"}).status_code == 200


def test_the_commands(ours: Casebook, web: httpx.Client, tmp_path: Path) -> None:
    """rate, and stats in each form."""
    entry = web.get("/v1/search", params={"q": "S0C4"}).json()["hits"][0]["id"]
    assert ours.run("rate", entry, "--failed", "--comment", "not with AMODE 31").code == 0
    assert ours.run("rate", entry).code == 2
    assert ours.run("rate", str(uuid4()), "--worked").code == 1
    counted(ours, web, "failed")
    page = ours.run("stats")
    assert page.code == 0, page.err
    assert "searches" in page.out
    assert "popular queries" in page.out
    narrowed = ours.run("stats", "--category", "batch").out
    assert "Batch only: entries, latency and queries are counted of all categories." in narrowed
    assert "popular queries" not in narrowed
    unknown = ours.run("stats", "--category", "Bach", "--json")
    assert (unknown.json["entries"], unknown.json["totals"]["searches"]) == (None, 0)
    assert "No category Bach is known." in unknown.err
    assert "not with AMODE 31" in ours.run("stats", "entry", entry).out
    head, *used = ours.run("stats", "entries", "best").out.splitlines()
    assert head.split()[-1] == "title"
    assert entry in {str(UUID(line.split()[0])) for line in used}, "a line each"
    narrow = ours.run("stats", "entries", "best", COLUMNS="80")
    head, *used = narrow.out.splitlines()
    assert head.split() == ["id", "worked", "failed", "title"]
    assert entry in {str(UUID(line.split()[0])) for line in used}
    assert "sure" in narrow.err, "what there was no room for is named"
    listed = ours.run("stats", "queries", "--since", "1d", "--format", "csv").out
    assert listed.startswith("query,searches")
    report = ours.run("stats", "report", "searches", "--by", "day", "--json")
    assert report.json["rows"][-1]["searches"] >= 1
    assert ours.run("stats", "report", "searches", "--by", "entry").code == 1
    assert ours.run("stats", "--zone", "Mars/Olympus").code == 1
    assert "█" in ours.run("stats", "--plot").out
    chart = tmp_path / "chart.svg"
    assert ours.run("stats", "queries", "--to", str(chart)).code == 0
    assert b"</svg>" in chart.read_bytes()
    assert {"rated", "created"} <= set(ours.run("stats", "activity", "--limit", "1000").out.split())
    for words in (("entries", "stale"), ("latency", "--by", "hour")):
        assert ours.run("stats", *words).code == 0
    assert "180 days" in ours.run("stats", "entries", "stale").out, "not that nothing is counted"


def test_nothing_of_it_makes_a_search_wait(ours: Casebook, web: httpx.Client) -> None:
    """Searches are answered while nobody takes the events up; they are counted later."""
    before = counted(ours, web, "searches", 0)
    assert ours.run("queues", "pause", "analytics").code == 0
    for _ in range(5):
        assert web.get("/v1/search", params={"q": "S0C7"}).status_code == 200
    assert ours.run("queues", "resume", "analytics").code == 0
    assert counted(ours, web, "searches", before + 5) >= before + 5
