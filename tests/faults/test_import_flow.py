"""Imports whose clients, queues or rows behave badly: every row is counted once all the same."""

import asyncio
import io
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from redis import Redis

from actors.broker.client import Client
from actors.queues import producer_broker
from pipelines.importing import Plan, import_streams
from tests.support.casebook import Casebook

PATIENCE = 60.0  # seconds for one thing to happen
ROWS = 3_000
BAD = 2_000  # rows: several chunks


@dataclass(frozen=True)
class Ground:
    """A Casebook, and its Valkey, which the test may fill."""

    casebook: Casebook
    redis: "Redis[bytes]"
    url: str


@pytest.fixture(scope="module")
def ground(casebook: Casebook) -> Iterator[Ground]:
    """The shared one."""
    endpoints = orjson.loads((casebook.data / "endpoints.json").read_bytes())
    with Redis.from_url(endpoints["redis_url"]) as redis:
        yield Ground(casebook, redis, endpoints["redis_url"])


def rows(source: str, start: int, stop: int) -> bytes:
    """NDJSON of some rows, half a kilobyte each."""
    row = {"problem": f"body of {source} " * 25}
    return b"".join(
        orjson.dumps(row | {"title": f"{source} {n}", "external_id": n}) + b"\n"
        for n in range(start, stop)
    )


def importing(ground: Ground, *arguments: str) -> "subprocess.Popen[bytes]":
    """`casebook import`, under way."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "import", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ground.casebook.environment,
    )


def until(true: Callable[[], Any], what: str) -> None:
    """Return when it is so. Fails when it never is."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        pause.wait(0.02)


def stored(ground: Ground, source: str) -> int:
    """How many entries a source has."""
    done = ground.casebook.run("export", "--source", source)
    return len(done.out.splitlines())


def refused(redis: "Redis[bytes]") -> int:
    """How many commands Valkey has refused for want of memory."""
    found = redis.info("errorstats").get("errorstat_OOM", {})
    return int(found.get("count", 0)) if isinstance(found, dict) else 0


def test_a_full_queue_pauses_an_import(ground: Ground) -> None:
    """Chunks are refused while Valkey is at its limit; when it has room the import goes on."""
    process = importing(ground, "-", "--source", "full", "--json")
    assert process.stdin is not None
    try:
        process.stdin.write(rows("full", 0, ROWS))
        process.stdin.flush()
        limit = ground.redis.config_get("maxmemory")["maxmemory"]
        before = refused(ground.redis)
        ground.redis.config_set("maxmemory", "100kb")
        try:
            process.stdin.write(rows("full", ROWS, ROWS + 600))
            process.stdin.flush()
            until(lambda: refused(ground.redis) > before, "no chunk was refused")
            assert process.poll() is None
        finally:
            ground.redis.config_set("maxmemory", limit)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, err.decode()
    counts = orjson.loads(out)["counts"]
    assert counts["received"] == counts["created"] == ROWS + 600 == stored(ground, "full")


def test_two_producers_send_the_same_file(ground: Ground, tmp_path: Path) -> None:
    """Both reports add up, and each row is one entry that one of the two has created."""
    file = tmp_path / "same.ndjson"
    file.write_bytes(rows("same", 0, ROWS))
    both = [importing(ground, str(file), "--source", "same", "--json") for _ in range(2)]
    ended = [process.communicate(timeout=2 * PATIENCE) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    counts = [orjson.loads(out)["counts"] for out, _ in ended]
    for one in counts:
        assert one["received"] == ROWS == one["created"] + one["updated"] + one["unchanged"]
    assert sum(one["created"] for one in counts) == ROWS == stored(ground, "same")
    assert all(one["updated"] == 0 for one in counts)


def test_a_killed_client_is_gone_on_with(ground: Ground, tmp_path: Path) -> None:
    """Its id is on stderr and among the tasks; resumed, all rows and rejects are there once."""
    file, rejects = tmp_path / "killed.ndjson", tmp_path / "rejects"
    bad = b'{"title": "no"}\n'
    file.write_bytes(bad * 700 + rows("killed", 0, ROWS) + bad * 700)
    options = ("--source", "killed", "--rejects", str(rejects))
    process = importing(ground, str(file), *options)
    assert process.stderr is not None
    import_id = process.stderr.readline().decode().removeprefix("import ").strip()
    until(lambda: rejects.exists() and rejects.stat().st_size, "nothing was answered")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    tasks = ground.casebook.run("tasks", "--type", "import", "--json").json["tasks"]
    assert (tasks[0]["id"], tasks[0]["status"]) == (import_id, "processing")
    resumed = ground.casebook.run("import", str(file), *options, "--resume", import_id, "--json")
    assert resumed.code == 1, resumed.err
    counts = resumed.json["counts"]
    assert (counts["received"], counts["created"]) == (ROWS + 1400, ROWS)
    assert counts["rejected"] == 1400 == len(rejects.read_bytes().splitlines())
    assert stored(ground, "killed") == ROWS


class _Breaking(io.BytesIO):
    """What it holds, and then what nobody expects."""

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        if not count:
            raise RuntimeError("out of the \0 blue \udc80")
        return count


def test_an_error_that_nobody_expected_leaves_word(ground: Ground) -> None:
    """The import does not look as if it went on: it says what went wrong."""
    begun: list[UUID] = []

    async def importing() -> None:
        async with Client(producer_broker(ground.url, "test")) as client:
            plan, streams = Plan(source="blue"), [("blue.ndjson", _Breaking(rows("blue", 0, 1)))]
            await import_streams(client, streams, plan, lambda counts: None, begun.append)

    with pytest.raises(ExceptionGroup):
        asyncio.run(importing())
    report = ground.casebook.run("imports", "show", str(begun[0]), "--json").json
    assert (report["status"], report["error"]["code"]) == ("open", "INTERNAL_ERROR")
    assert report["error"]["message"] == "RuntimeError: out of the \ufffd blue \\udc80"


def test_nothing_but_rejects(ground: Ground, tmp_path: Path) -> None:
    """Every row is bad: the report says so, and each is in the file once, in its own place."""
    file, rejects = tmp_path / "bad.csv", tmp_path / "rejects.csv"
    file.write_text("external_id,title\n" + "".join(f"{n},no\n" for n in range(BAD)))
    done = ground.casebook.run("import", str(file), "--rejects", str(rejects), "--json")
    assert done.code == 1
    counts = done.json["counts"]
    assert counts["received"] == counts["rejected"] == BAD
    ids = [line.split(",")[0] for line in rejects.read_text().splitlines()[1:]]
    assert sorted(ids, key=int) == [str(n) for n in range(BAD)]
