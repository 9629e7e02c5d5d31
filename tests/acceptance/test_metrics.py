"""What an operator reads: /metrics of a node, and the files in deploy/ that build on it."""

import time
from itertools import count

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.casebook import Casebook
from tests.support.waiting import SOON

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_all_processes_of_a_node_are_read_at_one_place(
    casebook: Casebook, http: httpx.Client
) -> None:
    """Each sample names its process; what belongs to nobody in particular is there once."""
    http.get("/v1/search", params={"q": "S0C7"}).raise_for_status()
    text = http.get("/metrics").raise_for_status().text
    families = {one.name: one for one in text_string_to_metric_families(text)}
    builds = {one.labels["process"] for one in families["casebook_build_info"].samples}
    assert builds == {"shim-0", "worker-0", "importer-0", "indexer-0"}
    assert len(families["casebook_database_up"].samples) == 1
    assert {one.value for one in families["casebook_redis_up"].samples} == {1.0}
    ran = {
        one.labels["actor"]: one.value
        for one in families["casebook_actor_seconds"].samples
        if one.name.endswith("_count")
    }
    assert ran["search.query"] >= 1 and ran["imports.chunk"] >= 1 and ran["index.follow"] >= 1
    rows = {one.labels["as"]: one.value for one in families["casebook_import_rows"].samples}
    assert rows["created"] >= 117
    queues = {one.labels["queue"] for one in families["casebook_queue_oldest_seconds"].samples}
    assert {"search", "entries", "imports"} <= queues
    for name in (
        "casebook_index_behind_seconds",
        "casebook_circuit_state",
        "casebook_pool_connections",
        "process_resident_memory_bytes",
    ):
        assert families[name].samples, name


def test_a_route_is_counted_by_its_pattern(http: httpx.Client) -> None:
    """Paths that strangers make up share one series; so do methods. A search has the name that
    the alert on slow ones asks for, whichever way it is answered."""
    for key in ("a stranger's", None):  # the usual way, and the short one
        http.get("/v1/search?q=route", headers={"Authorization": f"Bearer {key}"} if key else {})
    for number in range(20):
        http.get(f"/nowhere/{number}")
        http.request(f"INVENTED{number}", "/v1/search")
        http.get(f"/v1/tasks/{number}")
    text = http.get("/metrics").text
    routes = {
        (one.labels["method"], one.labels["route"])
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == "casebook_http_request_seconds_count"
    }
    assert ("GET", "other") in routes
    gets = {route for method, route in routes if method == "GET"}
    assert {"/v1/search"} == {route for route in gets if route.endswith("search")}
    assert not [one for one in routes if "nowhere" in one[1] or "INVENTED" in one[0]]


def test_it_is_told_where_answers_come_from(http: httpx.Client) -> None:
    """The second of two equal searches costs nobody anything; both layers are in use."""

    def shown() -> dict[tuple[str, ...], float]:
        """Samples of caches by name, and the labels but the process's."""
        return {
            (
                one.name,
                *(value for name, value in one.labels.items() if name != "process"),
            ): one.value
            for family in text_string_to_metric_families(http.get("/metrics").text)
            for one in family.samples
            if one.name.startswith(("casebook_answers", "casebook_cache"))
        }

    def asked() -> None:
        for _ in range(2):
            http.get("/v1/search", params={"q": "is counted by where it comes from"})

    asked()  # what was written by tests before may still be on its way into the index
    before = shown()
    asked()
    after = shown()
    hot = ("casebook_answers_total", "hot")
    assert after[hot] > before.get(hot, 0)
    for layer in ("hot", "warm"):
        assert after["casebook_cache_up", layer] == 1
        assert after["casebook_cache_bytes", layer] > 0
        assert after["casebook_cache_entries", layer] > 0
        assert after["casebook_cache_max_bytes", layer] >= 100 * 1024**2
        assert after["casebook_cache_call_seconds_count", layer] > 0


def test_a_callers_trace_id_is_the_operations(http: httpx.Client) -> None:
    """It comes back in the header, in errors, and as the exemplar of what a worker measured.

    A bucket takes one exemplar a second, and another search may just have given it.
    """
    headers = {"traceparent": f"00-{CALLER}-00f067aa0ba902b7-01"}
    reply = http.get("/v1/search", params={"q": "traced"}, headers=headers)
    assert reply.headers["x-operation-id"] == CALLER
    missing = http.get("/v1/nowhere", headers=headers)
    assert missing.json()["operation_id"] == missing.headers["x-operation-id"] == CALLER
    end = time.monotonic() + SOON
    for number in count():  # each a search that no cache has
        http.get("/v1/search", params={"q": f"traced {number}"}, headers=headers)
        text = http.get("/metrics", headers={"Accept": OPENMETRICS}).text
        assert text.endswith("# EOF\n")
        traced = [line for line in text.split("\n") if CALLER in line]
        if any('actor="search.query"' in line for line in traced):
            break
        assert time.monotonic() < end, "no bucket shows it"
    own = http.get("/v1/search", params={"q": "traced"}).headers["x-operation-id"]
    assert len(own) == 32 and own != CALLER
