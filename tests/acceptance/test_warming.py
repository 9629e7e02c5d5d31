"""Warming on a whole Casebook: what is popular is there before it is asked for."""

import time
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.casebook import Casebook


def computed(http: httpx.Client) -> float:
    """How many searches workers have answered."""
    text = http.get("/metrics").raise_for_status().text
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == "casebook_deliveries_total" and one.labels["actor"] == "search.query"
    )


def found(http: httpx.Client, word: str) -> None:
    """There is an entry with this word, and somebody has found it."""
    stored = http.post("/v1/entries", json={"title": word}).raise_for_status().json()
    query = {"q": word, "after": stored["position"]}
    assert http.get("/v1/search", params=query).raise_for_status().json()["total"] == 1


def test_the_first_request_after_warming_is_warm(casebook: Casebook, http: httpx.Client) -> None:
    """A commit cools it, a run warms it again; no worker is asked for it."""
    word, deadline, source = f"warm{uuid4().hex[:8]}", time.monotonic() + 60, ""
    found(http, word)
    while source != "warm":  # that it was asked for is told by an event, which comes late
        assert time.monotonic() < deadline
        found(http, f"cools{uuid4().hex[:8]}")
        assert casebook.run("warm", "--within", "60", "--rate", "1000").code == 0
        before = computed(http)
        reply = http.get("/v1/search", params={"q": word})
        source = reply.headers["Casebook-Cache"]
    assert reply.json()["total"] == 1
    assert computed(http) == before


def test_warming_tells_what_it_did(casebook: Casebook) -> None:
    """In words, for people."""
    done = casebook.run("warm", "--within", "60", "--rate", "1000")
    assert done.code == 0, done.err
    assert "statistics" in done.out or "another run" in done.out
    refused = casebook.run("warm", "--within", "0")
    assert (refused.code, "within" in refused.err) == (1, True)
