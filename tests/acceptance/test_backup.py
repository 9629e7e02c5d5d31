"""A backup under load, restored into a new place and over the old one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from tests.support.casebook import Casebook, running
from tests.support.waiting import SOON


@contextmanager
def load(casebook: Casebook) -> Iterator[list[str]]:
    """Someone who adds entries without a pause; the titles that were acknowledged so far."""
    acknowledged: list[str] = []
    some, ended = threading.Semaphore(0), threading.Event()

    def write() -> None:
        with casebook.http() as http:
            while not ended.is_set():
                title = f"under load {len(acknowledged)}"
                http.post("/v1/entries", json={"title": title}).raise_for_status()
                acknowledged.append(title)
                some.release()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            assert some.acquire(timeout=SOON)
        yield acknowledged
        for _ in range(10):
            assert some.acquire(timeout=SOON)
    finally:
        ended.set()
        writer.join()


def titles(casebook: Casebook) -> set[str]:
    """Every entry's title, as an export has it."""
    done = casebook.run("export")
    assert done.code == 0, done.err
    return {orjson.loads(line)["title"] for line in done.out.splitlines()}


@pytest.fixture(scope="module")
def casebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casebook]:
    """One that is written to all the time."""
    with running(tmp_path_factory.mktemp("written")) as casebook:
        yield casebook


def test_what_was_acknowledged_before_a_backup_is_in_it(casebook: Casebook, tmp_path: Path) -> None:
    """The new place holds one moment, its search works, and its index agrees with PostgreSQL."""
    casebook.run("add", "S0C7 in the payroll step", "--wait")
    with load(casebook) as acknowledged:
        before = set(acknowledged)
        done = casebook.run("backup", str(tmp_path), "--json")
        assert done.code == 0, done.err
    file = done.json["file"]
    assert Path(file).parent == tmp_path
    new = Casebook(tmp_path / "new", 0)
    restored = new.run("restore", file, "--json")
    assert (restored.code, restored.json["tables"]) == (0, done.json["tables"]), restored.err
    with running(new.data) as place:
        found = titles(place)
        assert before <= found <= {"S0C7 in the payroll step", *acknowledged}
        hits = place.run("search", "--json", "S0C7").json["hits"]
        assert [hit["title"] for hit in hits] == ["S0C7 in the payroll step"]
        place.until_well()
        assert place.run("add", "Written in the new place", "--wait").code == 0


def test_a_restore_over_a_running_one(casebook: Casebook, tmp_path: Path) -> None:
    """Refused without --replace; with it, workers go on in what the backup held."""
    casebook.run("add", "Kept by the backup", "--wait")
    file = tmp_path / "one.backup"
    assert casebook.run("backup", str(file)).code == 0
    casebook.run("add", "Later than the backup", "--wait")
    refused = casebook.run("restore", str(file))
    assert (refused.code, "LIVE_DATA" in refused.err) == (1, True)
    assert "Later than the backup" in titles(casebook)
    assert casebook.run("restore", str(file), "--replace").code == 0
    # A write that waits to be seen has waited for the index of the new epoch.
    assert casebook.run("add", "After the restore", "--wait").code == 0
    assert {"Kept by the backup", "After the restore"} <= titles(casebook)
    hits = casebook.run("search", "--json", "later than the backup").json["hits"]
    assert "Later than the backup" not in {hit["title"] for hit in hits}
    casebook.until_well()


def test_a_damaged_backup_is_refused_before_anything_is_touched(
    casebook: Casebook, tmp_path: Path
) -> None:
    """Cut short, changed, of another kind or missing: each is one line that names the file."""
    whole = tmp_path / "whole.backup"
    casebook.run("backup", str(whole))
    content = bytearray(whole.read_bytes())
    short, changed, strange = (tmp_path / name for name in ("short", "changed", "strange"))
    short.write_bytes(content[: len(content) // 2])
    content[len(content) // 2] ^= 8
    changed.write_bytes(content)
    strange.write_text("title,problem\n")
    for arguments in ((short, "--replace"), (changed, "--replace"), (strange,), (short, "--check")):
        done = casebook.run("restore", *map(str, arguments))
        assert (done.code, "BACKUP_DAMAGED" in done.err) == (1, True), done.err
        assert str(arguments[0]) in done.err
    done = casebook.run("restore", str(tmp_path / "missing"), "--replace")
    assert (done.code, "NOTHING_HERE" in done.err) == (2, True)
    casebook.until_well()


def test_a_backup_that_cannot_be_written_says_why(casebook: Casebook, tmp_path: Path) -> None:
    """No folder, a file that is there already, no Casebook: nothing is left behind."""
    taken = tmp_path / "taken"
    taken.write_text("the good one")
    for place in (tmp_path / "no" / "folder", taken):
        done = casebook.run("backup", str(place))
        assert (done.code, "BACKUP_NOT_WRITTEN" in done.err) == (2, True)
    done = Casebook(tmp_path / "empty", 0).run("backup", str(tmp_path / "new"))
    assert (done.code, "NOTHING_HERE" in done.err) == (2, True)
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]
    assert taken.read_text() == "the good one"
