"""Starting and stopping, as a person does it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import psutil
import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from tests.support.casebook import Casebook, free_port, running


def test_a_second_one_is_told_who_holds_the_folder(casebook: Casebook) -> None:
    """`up` on the same data names the pid, the address and how to stop it; nothing is harmed."""
    done = casebook.process("up", "--port", str(free_port()))
    pid = orjson.loads((casebook.data / "lock").read_bytes())["pid"]
    assert done.code == 2
    for part in ("DATA_FOLDER_LOCKED", str(pid), f":{casebook.port}", "casebook down"):
        assert part in done.err
    assert casebook.run("search", "S0C7").code == 0


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """A port that someone listens on is named, and no server was started for it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = Casebook(tmp_path / "data", port).process("up", "--port", str(port))
    assert done.code == 2
    assert "PORT_IN_USE" in done.err
    assert str(port) in done.err
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_shim_alone_names_a_taken_port(casebook: Casebook) -> None:
    """As `up` does: it is not PostgreSQL or Redis that is away."""
    done = casebook.process("serve", "--port", str(casebook.port))
    assert done.code == 2
    assert "PORT_IN_USE" in done.err
    assert str(casebook.port) in done.err


def test_a_plan_of_what_is_up_to_date_is_empty(casebook: Casebook) -> None:
    """In words and as JSON; nothing is changed by asking."""
    assert "up to date" in casebook.run("migrate", "--plan").out
    assert casebook.run("migrate", "--plan", "--json").json == {"pending": []}


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, detach: tuple[str, ...]) -> None:
    """A data folder that can't be made is an error with its path, without a traceback."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    done = Casebook(folder, 0).process("up", "--port", str(free_port()), *detach)
    assert done.code == 2
    assert "DATA_FOLDER_UNWRITABLE" in done.err
    assert "Traceback" not in done.err


def test_a_killed_cache_costs_nobody_anything(casebook: Casebook, http: httpx.Client) -> None:
    """kill -9 of the cache's server: searches are answered, all is ready, and it comes back."""
    pid = int((casebook.data / "cache" / "valkey.pid").read_text())
    psutil.Process(pid).kill()
    for _ in range(10):
        assert http.get("/v1/search", params={"q": "S0C7"}).status_code == 200
    assert http.get("/readyz").status_code == 200
    url = orjson.loads((casebook.data / "endpoints.json").read_bytes())["cache_url"]
    patient = Retry(ConstantBackoff(0.05), 200, supported_errors=(RedisConnectionError,))
    with Redis.from_url(url, retry=patient) as cache:
        assert cache.ping()
        assert cache.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lfu"
    assert int((casebook.data / "cache" / "valkey.pid").read_text()) != pid


def test_down_without_up_says_so(tmp_path: Path) -> None:
    """Stopping what does not run is an error, not silence."""
    done = Casebook(tmp_path, 0).process("down")
    assert (done.code, "NOT_RUNNING" in done.err) == (1, True)
    assert "CASEBOOK_DATA" in done.err
    assert "CASEBOOK_DATA" in Casebook(tmp_path, 0).run("search", "x").err


def test_servers_of_ones_own_are_used(casebook: Casebook, tmp_path: Path) -> None:
    """With both URLs given, `up` starts no server and works on those."""
    found = orjson.loads((casebook.data / "endpoints.json").read_bytes())
    database = found["database_url"].replace("/postgres?", "/template1?")
    own = {
        "CASEBOOK_DATABASE_URL": database,
        "CASEBOOK_REDIS_URL": found["redis_url"] + "?db=1",
        "CASEBOOK_NODE": "own",
    }
    other = Casebook(tmp_path / "data", free_port())
    done = other.process(
        "up", "--detach", "--port", str(other.port), "--data", str(other.data), **own
    )
    try:
        assert done.code == 0, done.err
        for command in ("search S0C7", "down"):
            assert f"CASEBOOK_DATA={other.data} casebook {command}" in done.out
        assert not (other.data / "postgres").exists()
        assert other.data.stat().st_mode & 0o077 == 0
        assert other.run("add", "On servers of my own", "--wait", **own).code == 0
        assert other.run("search", "--json", "servers", **own).json["total"] == 1
    finally:
        assert other.process("down").code == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casebook]:
    """One that may be stopped; it runs before and after each test."""
    with running(tmp_path_factory.mktemp("place")) as casebook:
        yield casebook


def up_again(place: Casebook) -> None:
    """Start it on its port."""
    done = place.process("up", "--detach", "--port", str(place.port))
    assert done.code == 0, done.err


def test_what_is_stored_survives_a_restart(place: Casebook) -> None:
    """Down and up again: entries, index and key are as they were."""
    entry = place.run("add", "Kept over a restart", "--wait", "--json").json["entry"]
    key = (place.data / "admin.key").read_text()
    assert place.process("down").code == 0
    up_again(place)
    hits = place.run("search", "--json", "restart").json["hits"]
    assert [hit["id"] for hit in hits] == [entry["id"]]
    assert (place.data / "admin.key").read_text() == key


def test_a_killed_supervisor_takes_its_children_along(place: Casebook) -> None:
    """kill -9 of `up`: on Linux its children end with it, and the next `up` starts cleanly."""
    supervisor = psutil.Process(orjson.loads((place.data / "lock").read_bytes())["pid"])
    children = supervisor.children(recursive=True)
    assert len(children) >= 6
    supervisor.kill()
    if psutil.LINUX:
        _, alive = psutil.wait_procs(children, timeout=40)
        assert alive == []
    up_again(place)
    place.until_well()
