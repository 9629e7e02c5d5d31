"""The index of a node, cared for by its commands while searches go on."""

import contextlib
import time
from pathlib import Path
from typing import Any

from storage.index.files import committed
from tests.support.casebook import Casebook


def test_a_flipped_bit_is_reported_and_mended(casebook: Casebook) -> None:
    """`index check` names the damaged file; the indexer builds another index by itself."""
    assert casebook.run("index", "check").code == 0
    before = casebook.run("index", "status", "--json").json
    assert before["damage"] is None or before["damage"]["mended"]
    deadline = time.monotonic() + 60
    flipped, found = _flip_and_check(casebook, before["folder"])
    while flipped not in found["damaged"]:  # a merge has taken it away before it was looked at
        assert time.monotonic() < deadline
        flipped, found = _flip_and_check(casebook, before["folder"])
    assert found["damaged"] == [flipped]

    while not casebook.run("index", "status", "--json").json["damage"]["mended"]:
        assert casebook.run("search", "--json", "S0C7").code == 0
        assert time.monotonic() < deadline
    assert casebook.run("index", "check").code == 0
    assert casebook.run("index", "verify").code == 0
    assert "mended True" in casebook.run("index", "status").out


def _flip_and_check(casebook: Casebook, folder: str) -> tuple[str, Any]:
    flipped = _flip(casebook.data / "index" / folder)
    checked = casebook.run("index", "check", "--json")
    assert checked.code == (1 if checked.json["damaged"] else 0)
    return flipped, checked.json


def _flip(folder: Path) -> str:
    """Flip a bit in the largest file of terms that belongs to the index; its name.

    What other tests stored is still in small segments, whose files go when they are merged.
    """
    sizes = {}
    for name in committed(folder):
        with contextlib.suppress(FileNotFoundError):
            sizes[name] = (folder / name).stat().st_size
    terms = (name for name in sizes if name.endswith(".term"))
    for name in sorted(terms, key=sizes.__getitem__, reverse=True):
        with contextlib.suppress(FileNotFoundError), (folder / name).open("r+b") as file:
            file.seek(sizes[name] // 2)  # in place: workers have it mapped
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))
            return name
    raise AssertionError("no file of terms belongs to the index")


def test_a_copy_of_the_index_is_made_and_taken_over(casebook: Casebook, tmp_path: Path) -> None:
    """The restored index agrees with PostgreSQL and answers; a damaged copy is refused."""
    copy = str(tmp_path / "copy")
    made = casebook.run("index", "backup", copy, "--json")
    assert (made.code, made.json["documents"] > 100) == (0, True)
    assert casebook.run("index", "backup", copy).code == 1
    before = casebook.run("index", "status", "--json").json["folder"]
    assert casebook.run("index", "restore", copy).code == 0
    assert casebook.run("index", "status", "--json").json["folder"] != before
    assert casebook.run("index", "verify").code == 0
    assert casebook.run("search", "--json", "S0C7").json["hits"]
    store = next(Path(copy).glob("*.store"))
    store.write_bytes(store.read_bytes()[:-1])
    refused = casebook.run("index", "restore", copy)
    assert (refused.code, "index rebuild" in refused.err) == (1, True)
    assert f"{store.name} is damaged" in refused.err
    nowhere = casebook.run("index", "backup", "/proc/nothing")
    assert (nowhere.code, "/proc/nothing" in nowhere.err) == (1, True)
    assert "INDEX_BACKUP_UNWRITABLE" in nowhere.err
    assert casebook.run("index", "backup", "").code == 2
