"""Kill -9 of everything, one after another, during an import: it completes and nothing is lost."""

import subprocess
import sys
import time

import orjson

from tests.support.casebook import Casebook

SLICE = 1_500  # rows sent before each kill
PATIENCE = 60.0  # seconds for one thing to happen

#: What each process shows of itself in its command line.
VICTIMS = (
    "actors.worker importer",
    "actors.worker worker",
    "actors.worker indexer",
    "valkey.sock",
    "cache.sock",
    "bin/postgres",
)


def kill(casebook: Casebook, mark: str) -> None:
    """SIGKILL the child and wait until the supervisor has started another."""
    (victim,) = casebook.children(mark)
    victim.kill()
    deadline = time.monotonic() + PATIENCE
    while [one.pid for one in casebook.children(mark)] in ([], [victim.pid]):
        assert time.monotonic() < deadline, f"{mark} was not started again"
        time.sleep(0.02)


def rows(start: int, stop: int) -> bytes:
    """NDJSON of some rows, half a kilobyte each."""
    return b"".join(
        orjson.dumps({"title": f"row {n}", "problem": f"body {n} " * 50, "external_id": n}) + b"\n"
        for n in range(start, stop)
    )


def test_an_import_survives_every_kill(casebook: Casebook) -> None:
    """Each process is killed once while rows are on their way; every row arrives once."""
    importing = subprocess.Popen(
        [sys.executable, "-m", "cli", "import", "-", "--source", "survives", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=casebook.environment,
    )
    assert importing.stdin is not None
    written = 0
    for mark in VICTIMS:
        # The pipe takes what the importer takes: when the slice is written, most of it is on its
        # way, and the kill finds chunks waiting, running and answered.
        importing.stdin.write(rows(written, written + SLICE))
        importing.stdin.flush()
        written += SLICE
        kill(casebook, mark)
        assert importing.poll() is None
    out, err = importing.communicate(rows(written, written + SLICE), timeout=180)
    written += SLICE
    assert importing.returncode == 0, err.decode()
    counts = orjson.loads(out)["counts"]
    assert counts["received"] == counts["created"] == written
    verified = casebook.until_well()["verified"]
    assert verified["agrees"] and verified["documents"] == verified["entries"], verified
    stored = casebook.run("export", "--source", "survives").out.splitlines()
    assert len({orjson.loads(line)["external_id"] for line in stored}) == len(stored) == written
