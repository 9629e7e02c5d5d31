"""Queues as operators see and rule them, over both ways in."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import psutil
import pytest

from actors.broker import queues
from actors.broker.broker import StreamsBroker
from tests.support.casebook import Casebook
from tests.support.waiting import SOON

COLUMNS = ("queue", "waiting", "running", "delayed", "dead", "oldest", "in/s", "out/s", "readers")


@pytest.fixture
def resumed(casebook: Casebook) -> Iterator[None]:
    """What a test paused or limited goes on after it, also where the test fails."""
    yield
    for name in ("imports", "entries"):
        casebook.run("queues", "resume", name)
    casebook.run("queues", "limit", "imports", "none")


def until(look: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """What `look` sees once it is `done`; another process brings it about and tells nobody."""
    end = time.monotonic() + 2 * SOON
    while not done(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.05)
    return seen


def test_every_queue_is_shown(casebook: Casebook) -> None:
    """`queues` lists each queue with what waits and who reads; two samples give rates."""
    done = casebook.run("queues")
    assert done.code == 0
    for word in (*COLUMNS, "search", "imports", "entries", "reads", "index@"):
        assert word in done.out
    states = {state["name"]: state for state in casebook.run("queues", "--json").json["queues"]}
    assert states["search"]["consumers"] >= 1
    assert states["search"]["rate_in"] >= 0
    quick = casebook.run("queues", "--no-rates", "--json").json["queues"]
    assert {state["rate_in"] for state in quick} == {None}


def test_a_write_to_a_paused_queue_says_what_it_waits_for(
    casebook: Casebook, resumed: None
) -> None:
    """Who has paused it and how it goes on; done once it does."""
    casebook.run("queues", "pause", "entries")
    kept = casebook.run("add", "Waits for an operator", "--json", CASEBOOK_WRITE_TIMEOUT="1")
    assert kept.code == 4
    for part in ("has paused", "casebook queues resume entries", "casebook tasks show"):
        assert part in kept.err
    assert casebook.run("queues", "resume", "entries").code == 0
    assert casebook.run("tasks", "show", kept.json["task"], "--follow").code == 0


def test_a_paused_queue_holds_an_import(
    casebook: Casebook, http: httpx.Client, tmp_path: Path, resumed: None
) -> None:
    """Paused over one way in and seen over the other; the import goes on when it is resumed."""
    paused = casebook.run("queues", "pause", "imports", "--reason", "[disk] full", "--json").json
    assert paused["paused"]["reason"] == "[disk] full"
    assert "[disk] full" in casebook.run("queues", "--no-rates").out
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(b"".join(orjson.dumps({"title": f"Held {n}"}) + b"\n" for n in range(30)))
    command = [sys.executable, "-m", "cli", "import", str(rows), "--source", "held"]
    importing = subprocess.Popen(
        command, env=casebook.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: http.get("/v1/queues/imports").json(), lambda state: state["waiting"] > 0)
        late = casebook.run("queues", "drain", "imports", "--timeout", "0.2")
        assert late.code == 1
        assert "QUEUE_NOT_DRAINED" in late.err
        assert importing.poll() is None
        reply = http.post("/v1/queues/imports/resume")
        assert (reply.status_code, reply.json()["paused"]) == (200, None)
        assert importing.wait(4 * SOON) == 0
    finally:
        importing.kill()
        importing.wait()
    drained = casebook.run("queues", "drain", "imports", "--timeout", "30", "--json")
    assert (drained.code, drained.json["waiting"], drained.json["in_flight"]) == (0, 0, 0)


def test_a_drained_queue_can_be_left_paused(casebook: Casebook, resumed: None) -> None:
    """`drain --then-pause` pauses what it found empty."""
    done = casebook.run("queues", "drain", "imports", "--then-pause", "--timeout", "30", "--json")
    assert done.code == 0, done.err
    assert done.json["paused"] is not None


def test_a_limit_is_set_and_taken_back(
    casebook: Casebook, http: httpx.Client, resumed: None
) -> None:
    """Over the CLI and over HTTP; the state tells it."""
    assert casebook.run("queues", "limit", "imports", "1", "--json").json["limit"] == 1
    assert "at most 1 at once" in casebook.run("queues", "--no-rates").out
    assert http.put("/v1/queues/imports/limit", json={"limit": 2}).json()["limit"] == 2
    assert http.put("/v1/queues/imports/limit", json={"limit": None}).json()["limit"] is None
    assert http.put("/v1/queues/imports/limit", json={"limit": 0}).status_code == 422
    for odd in ("0", "many"):
        assert casebook.run("queues", "limit", "imports", odd).code == 2


def test_each_queue_has_its_address(http: httpx.Client) -> None:
    """Every listed queue can be asked for by name, as it is or escaped: a node's name has an @."""
    names = [state["name"] for state in http.get("/v1/queues").json()["queues"]]
    assert any("@" in name for name in names)
    for name in names:
        for written in (name, quote(name, safe="")):
            reply = http.get(f"/v1/queues/{written}")
            assert (reply.status_code, reply.json()["name"]) == (200, name)
    assert http.get("/v1/queues", params={"rates": True}).json()["queues"][0]["rate_out"] >= 0


def test_a_pause_over_http_says_who(http: httpx.Client, resumed: None) -> None:
    """The key's name and the reason are kept with the pause; both may be left out of the body."""
    reply = http.post("/v1/queues/imports/pause", json={"reason": "maintenance"})
    assert reply.status_code == 200
    assert reply.json()["paused"] | {"at": ""} == {"by": "admin", "at": "", "reason": "maintenance"}
    assert http.post("/v1/queues/imports/pause").json()["paused"]["reason"] == ""


@pytest.mark.parametrize("command", [["pause"], ["resume"], ["limit"], ["drain"]])
def test_unknown_queues_are_named_as_such(casebook: Casebook, command: list[str]) -> None:
    """A queue that does not exist is exit code 2, and the error lists those that do."""
    more = ["3"] if command == ["limit"] else []
    done = casebook.run("queues", *command, "serach", *more)
    assert done.code == 2
    for word in ("QUEUE_NOT_FOUND", "serach", "search", "imports"):
        assert word in done.err


def test_unknown_queues_are_a_404(http: httpx.Client) -> None:
    """Over HTTP they are a problem that lists those that exist."""
    for reply in (
        http.get("/v1/queues/serach"),
        http.post("/v1/queues/serach/pause"),
        http.post("/v1/queues/serach/resume"),
        http.put("/v1/queues/serach/limit", json={"limit": 1}),
    ):
        assert (reply.status_code, reply.json()["code"]) == (404, "QUEUE_NOT_FOUND")
        assert "search" in reply.json()["queues"]


def test_queues_need_a_key(casebook: Casebook) -> None:
    """No route about queues answers without a key."""
    with casebook.http(key="") as client:
        assert client.get("/v1/queues").status_code == 401
        assert client.get("/v1/queues/search").status_code == 401
        assert client.post("/v1/queues/search/pause").status_code == 401
        assert client.post("/v1/queues/search/resume").status_code == 401
        assert client.put("/v1/queues/search/limit", json={"limit": 1}).status_code == 401


def test_queues_are_ruled_while_nobody_works(redis_url: str, tmp_path: Path) -> None:
    """With Redis alone, no worker and no PostgreSQL: the queue is shown, paused and resumed."""
    casebook = Casebook(tmp_path, 0)
    alone = {"CASEBOOK_REDIS_URL": redis_url, "CASEBOOK_NODE": "alone"}
    assert "nobody reads it" in casebook.run("queues", "--no-rates", **alone).out
    done = casebook.run("queues", "pause", "index@alone", "--json", **alone)
    assert done.code == 0, done.err
    broker = StreamsBroker(redis_url)
    broker.declare_queue("index@alone")
    assert queues.state(broker, "index@alone").paused is not None
    assert casebook.run("queues", "resume", "index@alone", **alone).code == 0
    assert queues.state(broker, "index@alone").paused is None


def test_bulk_processes_yield_the_cpu(casebook: Casebook) -> None:
    """The importer and the indexer are nicer than the worker by the setting's default."""
    supervisor = psutil.Process(orjson.loads((casebook.data / "lock").read_bytes())["pid"])
    nice = {}
    for process in supervisor.children(recursive=True):
        words = process.cmdline()
        if "actors.worker" in words:
            nice[words[-1]] = process.nice()
    assert nice["importer"] - nice["worker"] == nice["indexer"] - nice["worker"] == 5
