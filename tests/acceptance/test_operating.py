"""What an operator does when something is wrong: doctor, alerts, errors, health."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from actors.metrics.exporter import Slot, export
from actors.metrics.meters import Meters
from deploy.postgres import EmbeddedPostgres
from settings import SecretFile
from storage.breaker import Breakers
from tests.support.casebook import Casebook


def test_ready_says_what_each_part_is_like(http: httpx.Client) -> None:
    """Its time, its numbers, and where the index is; and a week of samples is kept."""

    def settled(ready: dict[str, Any]) -> bool:
        # The index follows, each process has told how far it is, a sample is taken now and then.
        facts = {name: check.get("facts", {}) for name, check in ready["checks"].items()}
        samples = http.get("/v1/health/history").json()["samples"]
        told = facts.get("circuits", {}).keys() & {"importer-0", "indexer-0", "worker-0"}
        phases = [one["phase"] for one in facts.get("processes", {}).values()]
        there = len(told) == 3 and phases == 4 * ["ready"]
        behind = facts.get("index", {}).get("behind")
        return ready["status"] == "ready" and there and behind == 0 and bool(samples)

    give_up = time.monotonic() + 60
    while not settled(ready := http.get("/readyz").json()):
        assert time.monotonic() < give_up, ready
        time.sleep(0.5)
    names = ["circuits", "database", "index", "load", "processes", "queues", "redis"]
    assert sorted(ready["checks"]) == names
    assert all(check["ok"] for check in ready["checks"].values())
    assert all(ready["checks"][name]["ms"] >= 0 for name in names)
    facts = ready["checks"]["index"]["facts"]
    assert facts["position"] and facts["generation"] >= 1
    circuits = ready["checks"]["circuits"]["facts"]
    assert circuits.keys() >= {"importer-0", "indexer-0", "worker-0"}
    assert circuits["worker-0"] == {"postgresql": "closed"}
    assert ready["checks"]["database"]["facts"]["missing_migrations"] == []
    started = {
        name.partition("/")[2]: (one["phase"], list(one["ms"]))
        for name, one in ready["checks"]["processes"]["facts"].items()
    }
    common = ["pool", "connectivity", "migrations", "index"]
    assert started["worker-0"] == ("ready", [*common, "warm"])
    assert started["shim-0"] == ("ready", ["connectivity", "workers", "index", "cache"])
    assert started["indexer-0"] == started["importer-0"] == ("ready", common)
    samples = http.get("/v1/health/history", params={"limit": 5}).json()["samples"]
    assert samples[0]["numbers"]["connections"] >= 1


def test_doctor_finds_nothing_where_all_is_well(casebook: Casebook) -> None:
    """Entry by entry; every line says so."""
    done = casebook.run("doctor", "--verify", "--json")
    assert {one["level"] for one in done.json} == {"well"}, done.out
    about = {one["about"] for one in done.json}
    assert about >= {
        "settings",
        "permissions",
        "disk",
        "clocks",
        "drift",
        "verify",
        "index",
        "cache",
    }
    assert done.code == 0


def test_doctor_knows_every_secret(casebook: Casebook, http: httpx.Client) -> None:
    """All private files but the two that tell nothing, and it names each that others can read."""
    http.get("/v1/search", params={"q": "S0C7"}).raise_for_status()
    ours = [one for one in casebook.data.iterdir() if one.is_file()]
    private = {one.name for one in ours if not one.stat().st_mode & 0o077}
    assert private - {"lock", "sample.loaded"} == set(SecretFile)
    files = [casebook.data / name for name in SecretFile]
    for file in files:
        file.chmod(0o644)
    try:
        found = casebook.run("doctor", "--json").json
    finally:
        for file in files:
            file.chmod(0o600)
    told = [one["found"] for one in found if one["about"] == "permissions"]
    assert told == [f"{file} is 644" for file in files]


def test_doctor_says_what_is_wrong_and_what_to_do(casebook: Casebook) -> None:
    """A key that others can read, a queue that nobody lets go on, a misspelt setting."""
    key = casebook.data / "admin.key"
    key.chmod(0o644)
    casebook.run("queues", "pause", "imports", "--reason", "test")
    try:
        done = casebook.run("doctor", "--json")
    finally:
        key.chmod(0o600)
        casebook.run("queues", "resume", "imports")
    assert done.code == 1
    wrong = {one["about"]: one for one in done.json if one["level"] != "well"}
    assert set(wrong) == {"permissions", "queues"}
    assert "644" in wrong["permissions"]["found"] and "chmod 600" in wrong["permissions"]["remedy"]
    assert "imports is paused" in wrong["queues"]["found"]
    misspelt = casebook.run("doctor", "--json", CASEBOOK_PROT="1")
    assert (misspelt.code, misspelt.json[0]["about"]) == (1, "settings")
    assert "CASEBOOK_PORT" in misspelt.json[0]["found"]


def test_doctor_says_what_a_process_leaves_alone(casebook: Casebook) -> None:
    """A circuit that is open in any process of the node."""
    breakers = Breakers()
    for _ in range(5):
        breakers.of("webhook").attempt().failed()
    slot = Slot(casebook.data, "guest")
    exporter = export(Meters(), slot, "127.0.0.1", 0, (), breakers)
    try:
        found = {one["about"]: one for one in casebook.run("doctor", "--json").json}
    finally:
        exporter.stop()
        slot.release()
    assert found["circuits"]["level"] == "warning"
    assert "guest-0 leaves webhook alone" in found["circuits"]["found"]


def test_doctor_where_nothing_runs(tmp_path: Path) -> None:
    """It says so, and how to start."""
    done = Casebook(tmp_path, 0).run("doctor")
    assert done.code == 1
    assert "casebook up" in done.out


def test_the_beginning_of_a_fingerprint_will_do(casebook: Casebook) -> None:
    """To show an error and to put it aside, where it fits one only."""
    add = (
        "insert into errors (fingerprint, error, place, category, severity, count, first_seen,"
        " last_seen, actor, operation_id, message, traceback) values (%s, 'builtins.KeyError',"
        " 'here', 'unexpected', 'error', 1, now(), now(), 'a', 'o', 'm', 't')"
    )
    with psycopg.connect(EmbeddedPostgres(casebook.data).url) as session:
        for one in ("beef0000cafe0000", "beef0000cafe0001"):
            session.execute(add, (one,))
    assert "beef0000cafe0001" in casebook.run("errors", COLUMNS="80").out
    for command in ("show", "resolve"):
        assert casebook.run("errors", command, "beef").code == 1
        assert casebook.run("errors", command, "beef0000cafe0001").code == 0
    with psycopg.connect(EmbeddedPostgres(casebook.data).url) as session:
        session.execute("delete from errors where fingerprint = 'beef0000cafe0000'")
    for command in ("show", "resolve"):
        assert casebook.run("errors", command, "beef").code == 0


def test_alerts_and_errors_can_be_asked_for(casebook: Casebook, http: httpx.Client) -> None:
    """On the command line and over HTTP; what does not exist is told so."""
    alerts = casebook.run("alerts", "--all")
    assert alerts.code in (0, 1), alerts.err  # 1 where any fires
    found = http.get("/v1/alerts")  # some may fire: other tests ask for trouble
    assert (found.status_code, [*found.json()]) == (200, ["alerts"])
    assert casebook.run("errors").code == 0
    assert http.get("/v1/errors").status_code == 200
    missing = http.post(f"/v1/alerts/{'0' * 8}-0000-7000-8000-{'0' * 12}/acknowledge")
    assert (missing.status_code, missing.json()["code"]) == (404, "ALERT_NOT_FOUND")
    resolved = http.post(f"/v1/errors/{'0' * 16}/resolve")
    assert (resolved.status_code, resolved.json()["code"]) == (404, "ERROR_NOT_FOUND")
    assert http.post("/v1/errors/nonsense/resolve").status_code == 422


@pytest.mark.parametrize("path", ["/v1/alerts", "/v1/errors", "/v1/health/history"])
def test_what_operators_see_needs_a_key(casebook: Casebook, path: str) -> None:
    """Tracebacks are not for everybody."""
    with casebook.http(key="") as client:
        assert client.get(path).status_code == 401


def test_a_write_tells_its_story(casebook: Casebook, http: httpx.Client) -> None:
    """By the caller's own id: which actor, on which queue and worker, how long, how it ended."""
    caller = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{caller}-b7ad6b7169203331-01"}
    assert http.get("/v1/errors").status_code == 200  # the key's check is of another story
    entry = http.post("/v1/entries", json={"title": "Traced entry"}, headers=headers)
    assert entry.status_code == 201, entry.text
    entry_id = entry.json()["entry"]["id"]
    assert http.post("/v1/entries", json={"title": "Traced entry"}, headers=headers).is_error
    http.get(f"/v1/entries/{entry_id}", headers=headers)
    http.get(f"/v1/entries/{entry_id}")
    until_told(casebook, caller, "GET /v1/entries/{entry_id}")  # the shim's part
    found = until_told(casebook, caller, "entries.get")
    told = [(one["actor"], one["queue"], one["outcome"], one["error"]) for one in found["spans"]]
    assert [one for one in told if one[1] not in ("search", "http")] == [
        ("entries.create", "entries", "done", ""),
        ("entries.create", "entries", "refused", "DUPLICATE_ENTRY"),
        ("entries.get", "reads", "done", ""),
    ]
    (message, *_) = (one["message_id"] for one in found["spans"] if one["queue"] == "entries")
    by_message = casebook.run("trace", message)
    assert by_message.code == 0 and "entries.create" in by_message.out
    assert casebook.run("trace", "nobody knows").code == 1
    assert casebook.run("slow").code == 0
    http.delete(f"/v1/entries/{entry_id}")


def until_told(casebook: Casebook, operation: str, actor: str) -> Any:
    """The trace once it has a span of `actor`: they are on their way for a second or two."""
    pause = threading.Event()
    for _ in range(40):
        found = casebook.run("trace", operation, "--json").json
        if any(one["actor"] == actor for one in found["spans"]):
            return found
        pause.wait(0.1)
    raise AssertionError(found)


def test_an_import_tells_its_story(casebook: Casebook, tmp_path: Path) -> None:
    """By the caller's trace: for whom, each chunk with its statements, and how it ended."""
    caller = "5bd66ef5095369c7b0d1f8f4bd33716a"
    rows = [{"title": f"Story of an import {n}", "problem": "p", "external_id": n} for n in "ab"]
    file = tmp_path / "rows.ndjson"
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    traceparent = f"00-{caller}-b7ad6b7169203331-01"
    done = casebook.run("import", "--source", "story", str(file), TRACEPARENT=traceparent)
    assert done.code == 0, done.err
    found = until_told(casebook, caller, "imports.chunk")
    (chunk,) = [one for one in found["spans"] if one["actor"] == "imports.chunk"]
    assert (chunk["outcome"], chunk["queue"], bool(chunk["caller"])) == ("done", "imports", True)
    assert {step["kind"] for step in chunk["steps"]} == {"sql"}
    shown = casebook.run("trace", caller).out
    assert f"for {chunk['caller']}" in shown
    assert f"sql {chunk['steps'][0]['name']}" in shown
