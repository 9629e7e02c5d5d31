"""The HTTP shim as a program meets it."""

from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from tests.support.casebook import Casebook


def created(http: httpx.Client, title: str, **fields: Any) -> dict[str, Any]:
    """The reply to a new entry."""
    reply = http.post("/v1/entries", json={"title": title, **fields})
    assert reply.status_code == 201, reply.text
    body: dict[str, Any] = reply.json()
    return body


def test_an_entry_is_created_found_changed_and_deleted(http: httpx.Client) -> None:
    """The life of an entry over HTTP; `after` reads one's own write."""
    done = created(http, "Flumph router drops frames", category="Network", tags=["flumph"])
    entry_id = done["entry"]["id"]
    found = http.get("/v1/search", params={"q": "flumph", "after": done["position"]}).json()
    assert [hit["id"] for hit in found["hits"]] == [entry_id]
    assert "<b>Flumph</b>" in found["hits"][0]["highlights"]["title"]
    patched = http.patch(f"/v1/entries/{entry_id}", json={"solution": "Reseat it"}).json()
    assert (patched["entry"]["version"], patched["entry"]["category"]) == (2, "Network")
    put = http.put(f"/v1/entries/{entry_id}", json={"title": "Flumph replaced"}).json()
    assert (put["entry"]["solution"], put["entry"]["category"]) == ("", "Other")
    versions = http.get(f"/v1/entries/{entry_id}/versions").json()["versions"]
    assert [state["version"] for state in versions] == [3, 2, 1]
    gone = http.delete(f"/v1/entries/{entry_id}").json()
    assert http.get(f"/v1/entries/{entry_id}").status_code == 404
    after = http.post("/v1/search", json={"q": "flumph", "after": gone["position"]}).json()
    assert after["total"] == 0


def test_searches_are_taught_over_http(http: httpx.Client) -> None:
    """Synonyms and pinned entries are set, listed, used by searches and taken back."""
    runbook = created(http, "Grumth runbook")["entry"]["id"]
    words = {"word": "quux tape", "same_as": ["Brillig"]}
    assert http.put("/v1/synonyms", json=words).status_code == 200
    assert http.put("/v1/pins", json={"query": "Brillig", "entries": [runbook]}).status_code == 200
    known = http.get("/v1/pins").json()
    assert known["synonyms"][0]["same_as"] == ["brillig"]
    assert known["pins"][0]["entries"] == [runbook]
    # What is indexed after them is found after they are published.
    done = created(http, "quux tape is full")
    found = http.get("/v1/search", params={"q": "brillig", "after": done["position"]}).json()
    assert [hit["title"] for hit in found["hits"]] == ["Grumth runbook", "quux tape is full"]
    fresh = {"q": "brillig", "profile": "fresh"}
    assert http.get("/v1/search", params=fresh).json()["hits"][0]["matched"] == "pinned"
    assert http.delete("/v1/pins", params={"query": "brillig"}).status_code == 200
    assert http.delete("/v1/synonyms", params={"word": "quux tape"}).status_code == 200
    again = http.delete("/v1/pins", params={"query": "brillig"})
    assert (again.status_code, again.json()["code"]) == (404, "PIN_NOT_FOUND")
    wrong = http.get("/v1/search", params={"q": "x", "profile": "best"})
    assert wrong.status_code == 422


def with_field(name: str, value: Any) -> bytes:
    """The JSON of an entry with one more field."""
    return orjson.dumps({"title": "good", name: value})


@pytest.mark.parametrize("key", ["", "wrong", "Bearer"])
def test_a_call_without_a_valid_key_is_refused(casebook: Casebook, key: str) -> None:
    """Every /v1 call needs a key; the refusal says how to send one."""
    with casebook.http(key=key) as client:
        for path in (
            "/v1/entries",
            "/v1/search?q=x",
            f"/v1/imports/{'0' * 8}-{'0000-' * 3}{'0' * 12}",
        ):
            reply = client.get(path)
            assert (reply.status_code, reply.json()["code"]) == (401, "UNAUTHORIZED")
            assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_an_idempotency_key_makes_a_repeat_harmless(http: httpx.Client) -> None:
    """The same key gives the first answer; with another body it is refused."""
    headers = {"Idempotency-Key": "http-key-1"}
    one = http.post("/v1/entries", json={"title": "Sent twice"}, headers=headers)
    two = http.post("/v1/entries", json={"title": "Sent twice"}, headers=headers)
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json() == two.json()
    other = http.post("/v1/entries", json={"title": "Another"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "KEY_REUSED")


def test_a_duplicate_names_the_entry_that_holds_the_text(http: httpx.Client) -> None:
    """409 with the other entry's id."""
    first = created(http, "Twin text", problem="the same")["entry"]["id"]
    reply = http.post("/v1/entries", json={"title": "Twin text", "problem": "the same"})
    assert (reply.status_code, reply.json()["code"]) == (409, "DUPLICATE_ENTRY")
    assert reply.json()["entry_id"] == first


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (b'{"title": "ab"}', "title", "VALIDATION_FAILED"),
        (b'{"title": 5}', "title", "VALIDATION_FAILED"),
        (b'{"title": "good", "colour": "red"}', "colour", "VALIDATION_FAILED"),
        (b'{"title": "a\\u0000b c"}', "title", "VALIDATION_FAILED"),
        (b'{"title": "good", "tags": "abc"}', "tags", "VALIDATION_FAILED"),
        (b'{"title": "good", "severity": "awful"}', "severity", "VALIDATION_FAILED"),
        (b'{"title": ', "", "JSON_UNREADABLE"),
        (b'{"title": "\\ud800 lone"}', "", "VALIDATION_FAILED"),
        (orjson.dumps({"title": "good", "problem": "x" * 100_001}), "problem", "VALIDATION_FAILED"),
        (orjson.dumps({"title": "good", "tags": ["t"] * 65}), "tags", "VALIDATION_FAILED"),
        (
            orjson.dumps({"title": "good", "custom": {"a": "x" * 17_000}}),
            "custom",
            "VALIDATION_FAILED",
        ),
    ],
)
def test_bad_bodies_are_problems_that_name_the_field(
    http: httpx.Client, body: bytes, field: str, code: str
) -> None:
    """Problem details with a stable code and the field at fault, never a 5xx."""
    reply = http.post("/v1/entries", content=body, headers={"Content-Type": "application/json"})
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (422, code)
    assert any(field in error["field"] for error in problem["errors"])


def test_a_body_that_is_no_text_is_a_problem(http: httpx.Client) -> None:
    """Bytes that are not UTF-8 are refused as unreadable."""
    reply = http.post(
        "/v1/entries", content=b"\xff\xfe\x00", headers={"Content-Type": "application/json"}
    )
    assert (reply.status_code, reply.json()["code"]) == (400, "BODY_UNREADABLE")


def test_what_is_not_there_is_a_problem_too(http: httpx.Client) -> None:
    """Unknown ids and routes are 404 with a code of their own."""
    missing = http.get("/v1/entries/01a1fcdc-18c8-7337-bccf-9e8c6169a319")
    assert (missing.status_code, missing.json()["code"]) == (404, "ENTRY_NOT_FOUND")
    nowhere = http.get("/v1/nowhere")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "ROUTE_NOT_FOUND")


def test_a_stale_version_is_a_conflict(http: httpx.Client) -> None:
    """409 with the version that is current."""
    entry_id = created(http, "Versioned over http")["entry"]["id"]
    http.patch(f"/v1/entries/{entry_id}", json={"severity": "low"})
    late = http.patch(
        f"/v1/entries/{entry_id}", params={"expected_version": 1}, json={"severity": "high"}
    )
    assert (late.status_code, late.json()["code"]) == (409, "VERSION_CONFLICT")
    assert late.json()["current_version"] == 2


def test_relations_and_archiving_have_routes(http: httpx.Client) -> None:
    """An entry is related to another, hidden and shown again."""
    one = created(http, "Related one")["entry"]["id"]
    two = created(http, "Related two")["entry"]["id"]
    related = http.put(f"/v1/entries/{one}/relations/{two}", json={"kind": "superseded"})
    assert related.json()["relations"][0]["to_id"] == two
    assert http.post(f"/v1/entries/{one}/archive").json()["entry"]["archived"] is True
    assert http.post(f"/v1/entries/{one}/restore").json()["entry"]["archived"] is False


def test_lists_are_paged(http: httpx.Client) -> None:
    """Following next_cursor meets every entry of a filter once."""
    for number in range(5):
        created(http, f"Paged entry {number}", tags=["paged"])
    seen: list[str] = []
    params: dict[str, Any] = {"tag": "paged", "limit": 2}
    while True:
        page = http.get("/v1/entries", params=params).json()
        seen += [entry["id"] for entry in page["entries"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5


def test_a_streamed_body_is_imported(http: httpx.Client) -> None:
    """NDJSON is taken as it streams in; its rejects can be read afterwards."""

    def lines() -> Any:
        for number in range(1200):
            yield b'{"title": "wugstream %d", "external_id": "s%d"}\n' % (number, number)
        yield b"not json\n"

    reply = http.post(
        "/v1/imports",
        params={"source": "stream"},
        content=lines(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert reply.status_code == 201, reply.text
    report = reply.json()
    assert report["counts"] == {
        "received": 1201,
        "created": 1200,
        "updated": 0,
        "unchanged": 0,
        "rejected": 1,
    }
    kept = http.get(f"/v1/imports/{report['id']}").json()
    assert (kept["status"], kept["rejects"][0]["line"]) == ("finished", 1201)
    found = http.get("/v1/search", params={"q": "wugstream", "after": report["position"]})
    assert found.json()["total"] == 1200


def test_csv_is_imported_with_a_mapping(http: httpx.Client) -> None:
    """Query parameters map columns; a mapping to nowhere is refused before any row."""
    reply = http.post(
        "/v1/imports",
        params={"source": "csv", "map": ["title=name", "external_id=key"]},
        content=b"key,name\n1,mapped one\n2,mapped two\n",
        headers={"Content-Type": "text/csv"},
    )
    assert reply.json()["counts"]["created"] == 2
    bad = http.post("/v1/imports", params={"map": "colour=name"}, content=b"a\n1\n")
    assert (bad.status_code, bad.json()["code"]) == (422, "MAPPING_INVALID")


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 10**9},
        {"limit": 0},
        {"offset": -1},
        {"offset": 10**9},
        {"after": "nonsense"},
        {"severity": "awful"},
        {"colour": "red"},
        {"facets": "colour"},
        {"facets": ["category", "colour"]},
        {"facets": "tag", "facet_limit": 101},
        {"sort": "colour"},
        {"sort": "-updated", "order": "asc"},
        {"group": "tag"},
        {"group": "category", "cursor": ""},
        {"fields": "colour"},
        {"cursor": "x", "offset": 1},
        {"updated_from": "yesterday"},
        {"year": 0},
        {"usage_from": -1},
    ],
    ids=str,
)
def test_searches_out_of_bounds_are_refused(http: httpx.Client, params: dict[str, Any]) -> None:
    """Limits are checked before anything reaches the engine."""
    reply = http.post("/v1/search", json=params)
    assert (reply.status_code, reply.json()["code"]) == (422, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    "query",
    ["", "*", '""', '"', "(" * 5000, "the of and", "!?;", "\u202eabc", "x y " * 250_000],
)
def test_no_search_text_is_an_error(http: httpx.Client, query: str) -> None:
    """Whatever is typed is answered."""
    assert http.post("/v1/search", json={"q": query}).status_code == 200


def test_filters_narrow_a_search(http: httpx.Client) -> None:
    """Category, tag and severity filter; the total counts what they leave."""
    everything = http.get("/v1/search", params={"q": "abend"}).json()["total"]
    cics = http.get("/v1/search", params={"q": "abend", "category": "cics"}).json()
    assert 0 < cics["total"] < everything
    assert {hit["category"] for hit in cics["hits"]} == {"CICS"}


def test_unknown_names_are_told_the_known_ones(http: httpx.Client) -> None:
    """A misspelt facet, sort, field or group is answered with those that exist."""
    for name, known in {
        "facets": "'category'",
        "sort": "'-updated'",
        "fields": "'solution'",
        "group": "'severity'",
    }.items():
        reply = http.get("/v1/search", params={"q": "abend", name: "colour"})
        assert reply.status_code == 422
        assert known in reply.json()["errors"][0]["message"]


def test_a_cursor_that_is_none_is_refused(http: httpx.Client) -> None:
    """The worker's refusal reaches the caller as one of the request, not of the server."""
    reply = http.get("/v1/search", params={"q": "abend", "cursor": "nonsense"})
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "CURSOR_INVALID")


def test_an_answer_in_the_shape_that_is_asked_for(http: httpx.Client) -> None:
    """Facets, fields, explanations, sorts, groups and cursors, in a URL and posted."""
    asked = {"q": "abend", "facets": "category,severity", "explain": True, "sort": "-updated"}
    got, posted = http.get("/v1/search", params=asked).json(), http.post("/v1/search", json=asked)
    assert posted.json()["facets"] == got["facets"]
    assert sum(one["count"] for one in got["facets"]["severity"]) == got["total"]
    assert got["hits"][0]["explanation"]["parts"]
    grouped = http.get("/v1/search", params={"q": "abend", "group": "category"}).json()["groups"]
    assert {group["name"] for group in grouped} >= {"CICS"}
    seen: list[str] = []
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        params = {"q": "abend", "fields": "id", "limit": 40, "cursor": page["next"]}
        page = http.get("/v1/search", params=params).json()
        seen += [hit["id"] for hit in page["hits"]]
    assert len(seen) == len(set(seen)) == got["total"]


def test_pages_of_a_search_do_not_overlap(http: httpx.Client) -> None:
    """limit and offset cut one ranking."""
    whole = [h["id"] for h in http.get("/v1/search?q=abend&limit=20").json()["hits"]]
    parts = [
        h["id"]
        for offset in (0, 10)
        for h in http.get(f"/v1/search?q=abend&limit=10&offset={offset}").json()["hits"]
    ]
    assert parts == whole


def test_health_and_the_description_are_open(casebook: Casebook) -> None:
    """Alive, ready and documented without a key."""
    with casebook.http(key="") as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert client.get("/docs").status_code == 200
        paths = client.get("/openapi.json").json()["paths"]
        assert {"/v1/entries", "/v1/search", "/v1/imports"} <= set(paths)


def test_a_large_entry_fits(http: httpx.Client) -> None:
    """Problem and solution at their limits, in text that takes several bytes a character."""
    entry = created(http, "As large as it may be", problem="é" * 100_000, solution="✓" * 100_000)
    assert len(entry["entry"]["solution"]) == 100_000


def test_suggestions_while_typing(http: httpx.Client) -> None:
    """From two characters on, codes and entries that go on so."""
    found = http.get("/v1/suggest", params={"q": "S0C"}).json()["suggestions"]
    assert {"code", "entry"} <= {one["kind"] for one in found}
    assert all("S0C" in one["text"].upper() for one in found)
    assert http.get("/v1/suggest", params={"q": "S"}).json()["code"] == "VALIDATION_FAILED"


def test_what_is_like_an_entry(http: httpx.Client) -> None:
    """More like an entry, more like a text, and nothing for one that is not there."""
    hit = http.get("/v1/search", params={"q": "S0C7"}).json()["hits"][0]
    found = http.get(f"/v1/entries/{hit['id']}/similar", params={"limit": 5}).json()["entries"]
    assert len(found) == 5
    assert hit["id"] not in {entry["id"] for entry in found}
    text = "a packed decimal field holds spaces: data exception"
    like = http.post("/v1/similar", json={"text": text}).json()["entries"]
    assert hit["id"] in {entry["id"] for entry in like}
    missing = http.get(f"/v1/entries/{uuid4()}/similar")
    assert (missing.status_code, missing.json()["code"]) == (404, "ENTRY_NOT_FOUND")
    assert http.post("/v1/similar", json={}).json()["code"] == "VALIDATION_FAILED"


def test_a_new_entry_hears_of_its_likes(http: httpx.Client) -> None:
    """A text like one that is there is stored, and the reply lists the other with how alike."""
    hit = http.get("/v1/search", params={"q": "S0C7"}).json()["hits"][0]
    known = http.get(f"/v1/entries/{hit['id']}").json()
    fields = {name: known[name] for name in ("problem", "solution")}
    made = http.post("/v1/entries", json={"title": "S0C7 once more", **fields})
    assert made.status_code == 201
    best = made.json()["similar"][0]
    assert best["id"] == hit["id"]
    assert best["similarity"] > 0.8
