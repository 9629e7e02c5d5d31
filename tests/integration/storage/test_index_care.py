"""Damage to an index is noticed and mended, and its copies are taken over; searches go on."""

import contextlib
import errno
import os
import re
import shutil
import signal
import string
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.errors import (
    IndexBackupUnusable,
    IndexBackupUnwritable,
    IndexUnavailable,
    LiveData,
)
from contracts.search import SearchQuery
from storage.index import backup, files, follower, published
from storage.index.backup import MANIFEST
from storage.index.follower import Follower
from storage.index.guesses import LOST
from storage.index.searcher import IndexReader
from storage.index.writer import IndexWriter, was_interrupted
from storage.postgres.store import Store
from tests.integration.storage.test_follower import add, found

PROGRAM = Path(__file__).parents[1] / "programs" / "follow.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where this test's index is."""
    return tmp_path / "index"


@pytest.fixture
def indexer(root: Path, store: Store) -> Iterator[Follower]:
    """A follower of this test's database, with three entries indexed in two commits."""
    indexer = Follower(root, store)
    for title in ("alpha one", "alpha two"):
        add(store, title)
    indexer.step()
    add(store, "alpha three")
    indexer.step()
    yield indexer
    indexer.close()


@pytest.fixture
def reader(root: Path) -> IndexReader:
    """A reader of the same index."""
    return IndexReader(root)


WINDOW = 64  # bytes of a file that are damaged at once
ALL = {"alpha one", "alpha two", "alpha three"}


def folder_of(reader: IndexReader, root: Path) -> Path:
    """The folder that is searched."""
    told = reader.published()
    assert told is not None
    return root / told.folder


def flip(path: Path, place: int | None = None) -> None:
    """Turn one bit over in a file, in the middle of it if no place is given."""
    with path.open("r+b") as file:  # in place: readers have it mapped
        file.seek(path.stat().st_size // 2 if place is None else place)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0b100]))


def a_file(folder: Path, suffix: str) -> Path:
    """One committed file of a kind."""
    return next(folder / name for name in files.committed(folder) if name.endswith(suffix))


def swell(path: Path) -> None:
    """Turn one bit over in how many values a column has: to merge it, the engine asks for more
    memory than there is, which ends its process."""
    count = re.search(rb"[^\0]\0{7}\x03\0{3}", path.read_bytes())  # before the format's version
    assert count is not None
    flip(path, count.start() + 4)


@contextmanager
def following(root: Path, database_url: str) -> "Iterator[subprocess.Popen[str]]":
    """A process that follows once for each line that it gets."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(root), database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    ) as process:
        yield process


def steps(process: "subprocess.Popen[str]") -> bool:
    """One step of such a process; whether it has lived through it."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        print(file=process.stdin, flush=True)
        return process.stdout.readline() == "applied\n"
    return False


def test_damage_that_ends_the_indexer_is_mended_at_its_start(
    root: Path, indexer: Follower, reader: IndexReader, store: Store, database_url: str
) -> None:
    """The engine aborts at some damage when it merges. Whoever starts after that looks at all files
    before it writes, and no process ends of that file a second time."""
    indexer.close()
    folder = folder_of(reader, root)
    damaged = a_file(folder, ".fast")
    swell(damaged)
    expected = set(ALL)
    with following(root, database_url) as process:
        while steps(process):  # until there are enough segments to be merged
            assert len(expected) < 50
            expected.add(f"alpha {len(expected)}")
            add(store, f"alpha {len(expected) - 1}")
    assert process.returncode == -signal.SIGABRT
    told = reader.damage()
    assert told is None
    with following(root, database_url) as process:
        for _ in range(12):  # more than are merged
            expected.add(f"alpha {len(expected)}")
            add(store, f"alpha {len(expected) - 1}")
            assert steps(process)
    assert process.returncode == 0
    told = reader.damage()
    assert told is not None
    assert (told.folder, told.files) == (folder.name, (damaged.name,))
    assert found(reader, "alpha") == expected
    assert indexer.check().damaged == ()


def test_an_index_that_was_closed_is_not_looked_at_again(
    root: Path, indexer: Follower, store: Store, database_url: str
) -> None:
    """To read all of it takes time; where the writer was killed instead, all of it is read."""
    known = published.read(root)
    assert known is not None
    assert was_interrupted(root)  # as long as it is written
    indexer.close()
    assert not was_interrupted(root)
    with following(root, database_url) as process:
        assert steps(process)
        process.kill()
    assert was_interrupted(root)
    indexer.step()
    assert published.read(root) == known


def test_what_the_engine_panics_at_is_mended(
    root: Path, indexer: Follower, reader: IndexReader, store: Store
) -> None:
    """A process that can't open the index any more builds another one with its first step; searches
    go on in what is open."""
    assert found(reader, "alpha") == ALL
    folder = folder_of(reader, root)
    before = set(folder.glob("*.fast"))
    add(store, "alpha four")
    indexer.step()
    indexer.close()
    for path in set(folder.glob("*.fast")) - before:
        flip(path, path.stat().st_size - 140)
    assert found(reader, "alpha") == ALL
    indexer.step()
    assert folder_of(reader, root) != folder
    assert found(reader, "alpha") == ALL | {"alpha four"}


def test_a_flipped_bit_is_found_and_mended(
    root: Path, indexer: Follower, reader: IndexReader, store: Store
) -> None:
    """The check names the file; the next step swaps in a new index, which is well."""
    assert indexer.check().damaged == ()
    for suffix in (".term", ".store", ".fast", ".pos"):
        before = folder_of(reader, root)
        damaged = a_file(before, suffix)
        flip(damaged)
        assert indexer.check().damaged == (damaged.name,)
        told = reader.damage()
        assert told is not None
        assert (told.folder, told.files) == (before.name, (damaged.name,))
        assert reader.published() is not None  # searches go on in it
        indexer.step()
        assert folder_of(reader, root) != before
        assert found(reader, "alpha") == ALL
        assert indexer.check().damaged == ()
    add(store, "alpha four")
    indexer.step()
    assert found(reader, "alpha") == ALL | {"alpha four"}


@pytest.mark.parametrize("state", ["added", "merged", "restored", "restored and added", "rebuilt"])
def test_every_file_is_checked(
    tmp_path: Path, root: Path, indexer: Follower, reader: IndexReader, store: Store, state: str
) -> None:
    """Each kind of file, at once, however it came to be; a later commit makes none of them good."""
    if state == "merged":
        # The engine merges beside the commits: one of the next ones finds it done.
        counts = [0]
        while len(counts) < 50 and counts[-1] >= max(counts):
            add(store, f"beta {len(counts)}")
            indexer.step()
            counts.append(len(files.committed(folder_of(reader, root))))
        indexer.close()  # waits for what is being merged still
        assert counts[-1] < max(counts)
    elif state == "rebuilt":
        indexer.rebuild()
    elif "restored" in state:
        indexer.backup(tmp_path / "copy")
        indexer.restore(tmp_path / "copy")
    if "and added" in state:
        add(store, "gamma")
        indexer.step()
    folder = folder_of(reader, root)
    names = files.committed(folder)
    sizes = {name: (folder / name).stat().st_size for name in names}
    assert indexer.check() == (len(names), sum(sizes.values()), (), "")
    by_size = sorted(names, key=sizes.__getitem__)  # a small one may hold nothing but a mark
    kinds = {name[name.index(".") :]: name for name in by_size if not name.endswith(".del")}
    assert set(kinds) == set(files.PARTS)
    for name in kinds.values():
        flip(folder / name)
        assert indexer.check().damaged == (name,)
        (root / "damage.json").unlink()
        flip(folder / name)
    assert indexer.check().damaged == ()
    flip(folder / kinds[".store"])
    add(store, "delta")
    indexer.step()
    assert indexer.check().damaged == (kinds[".store"],)
    with pytest.raises(IndexUnavailable):
        indexer.backup(tmp_path / "other copy")


def test_what_was_damaged_before_it_was_seen_is_found(
    tmp_path: Path, root: Path, indexer: Follower, reader: IndexReader
) -> None:
    """The first look at a file does not take it as it is."""

    def damaged(to: Path) -> None:
        shutil.copytree(folder_of(reader, root), to, dirs_exist_ok=True)
        # The largest: in the other one the mark is read to open it.
        flip(max(to.glob("*.store"), key=lambda path: path.stat().st_size), 3)

    writer = IndexWriter.take_over(tmp_path / "other", "english", damaged)
    writer.close()
    current = published.read(tmp_path / "other")
    assert current is not None
    folder = tmp_path / "other" / current.folder
    assert [name[-6:] for name in files.check(folder).damaged] == [".store"]


def test_each_byte_of_a_footer_counts(root: Path, indexer: Follower, reader: IndexReader) -> None:
    """Its words, its numbers, its length; the engine opens no file of a version unknown to it."""
    folder = folder_of(reader, root)
    path = a_file(folder, ".fieldnorm")
    size = path.stat().st_size
    for place in range(size - 96, size):
        flip(path, place)
        assert files.check(folder).damaged == (path.name,), place
        flip(path, place)
    assert files.check(folder).damaged == ()


def test_the_engine_ends_its_files_with_checksums(
    root: Path, indexer: Follower, reader: IndexReader
) -> None:
    """All of them, those of deletions too: an engine that no longer does has a check of its own."""
    folder = folder_of(reader, root)
    assert any(name.endswith(".del") for name in files.committed(folder))
    for name in files.committed(folder):
        content = (folder / name).read_bytes()
        body, _, footer = content.rpartition(b'{"version":')
        footer = b'{"version":' + footer[:-8]
        assert zlib.crc32(body) == orjson.loads(footer)["crc"]


def test_a_damaged_word_on_what_is_published_is_noticed(
    root: Path, indexer: Follower, reader: IndexReader
) -> None:
    """A digit of it is another one: it is not believed, and the next step publishes anew."""
    assert found(reader, "alpha") == ALL
    path = root / published.NAME
    written = path.read_bytes()
    path.write_bytes(written.replace(b'"documents":3', b'"documents":7'))
    assert reader.published() is None
    assert found(reader, "alpha") == ALL  # in what is open
    assert indexer.check(whole=False).damaged == (published.NAME,)
    indexer.step()
    told = reader.published()
    assert told is not None
    assert told.documents == 3
    assert found(reader, "alpha") == ALL


def test_searches_go_on_in_what_is_open(root: Path, indexer: Follower, reader: IndexReader) -> None:
    """Where the index can't be opened again, as its META is damaged."""
    assert found(reader, "alpha") == ALL
    (folder_of(reader, root) / files.META).write_bytes(b"{")
    (root / published.NAME).touch()  # as a commit would
    assert found(reader, "alpha") == ALL
    assert indexer.check().damaged == (files.META,)
    with pytest.raises(ValueError, match=r"meta\.json"):
        indexer.step()  # gives up its writer; its message comes again
    indexer.step()
    assert found(reader, "alpha") == ALL


def test_damage_is_noticed_part_by_part(
    root: Path, indexer: Follower, reader: IndexReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of one file each come round to all files and begin again."""
    monkeypatch.setattr(follower, "PART", 1)
    names = files.committed(folder_of(reader, root))
    flip(folder_of(reader, root) / names[-1])
    parts = [indexer.check(whole=False) for _ in names]
    assert [part.files for part in parts] == [1] * len(names)
    assert [part.damaged for part in parts if part.damaged] == [(names[-1],)]


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_lost_file_is_damage(
    tmp_path: Path, root: Path, indexer: Follower, reader: IndexReader, damage: str
) -> None:
    """A file that is gone or shorter than it was is found, too."""
    path = a_file(folder_of(reader, root), ".store")
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-3])
    indexer.close()
    with pytest.raises(IndexUnavailable) as refused:
        indexer.backup(tmp_path / "copy")
    assert refused.value.details["files"] == [path.name]
    assert indexer.check().damaged == (path.name,)
    indexer.step()
    assert found(reader, "alpha") == ALL
    assert indexer.check().damaged == ()


def test_another_node_begins_from_a_backup(
    tmp_path: Path, indexer: Follower, reader: IndexReader, store: Store
) -> None:
    """It reads no entry but those that changed since; the copy is of one moment."""
    made = indexer.backup(tmp_path / "copy")
    assert made.documents == 3
    add(store, "alpha four")
    indexer.step()
    root = tmp_path / "other"
    other, theirs = Follower(root, store), IndexReader(root)
    try:
        other.restore(tmp_path / "copy")
        assert found(theirs, "alpha") == ALL
        assert other.step().applied == 1
        assert found(theirs, "alpha") == found(reader, "alpha") == ALL | {"alpha four"}
        assert other.check().damaged == ()
        assert not [path for path in root.iterdir() if "stage" in path.name]
    finally:
        other.close()


def test_a_backup_replaces_an_index_under_searches(
    tmp_path: Path, root: Path, indexer: Follower, reader: IndexReader, store: Store
) -> None:
    """A reader moves on to the restored one, with a later generation, and it is written on."""
    indexer.backup(tmp_path / "copy")
    before = reader.published()
    indexer.restore(tmp_path / "copy")
    after = reader.published()
    assert before is not None
    assert after is not None
    assert (after.folder != before.folder, after.generation > before.generation) == (True, True)
    assert found(reader, "alpha") == ALL
    for number in range(12):  # commits that the engine merges
        add(store, f"alpha {number}")
        indexer.step()
    assert len(found(reader, "alpha")) == 15
    indexer.close()
    on_disk = {path.name for path in folder_of(reader, root).glob("*.store")}
    assert on_disk == {name for name in files.committed(folder_of(reader, root)) if "store" in name}


def test_a_backup_that_does_not_fit_is_refused(
    tmp_path: Path, indexer: Follower, reader: IndexReader, store: Store
) -> None:
    """The index stays as it is, and the message says to rebuild instead."""
    good = tmp_path / "copy"
    indexer.backup(good)
    manifest = orjson.loads((good / MANIFEST).read_bytes())
    before = reader.published()

    def refused(copy: Path) -> str:
        with pytest.raises(IndexBackupUnusable, match="index rebuild") as error:
            indexer.restore(copy)
        assert reader.published() == before
        return str(error.value.details["reason"])

    assert "no index was backed up there" in refused(tmp_path / "nowhere")
    for changed, reason in (
        ({"files": manifest["files"] | {"../out": [1, 1]}}, "its list of files is damaged"),
        ({"schema_version": 0}, "another layout"),
        ({"language": "german"}, "its language is german"),
        ({"position": "other" + manifest["position"]}, "of another database"),
    ):
        (good / MANIFEST).write_bytes(orjson.dumps(manifest | changed))
        assert reason in refused(good)
    (good / MANIFEST).write_bytes(orjson.dumps(manifest))
    flip(a_file(good, ".term"))
    assert "is damaged" in refused(good)
    name = a_file(good, ".term").name  # damaged before it was copied, by a release before
    before_it = [(good / name).stat().st_size, zlib.crc32((good / name).read_bytes())]
    fitting = manifest | {"files": manifest["files"] | {name: before_it}}
    (good / MANIFEST).write_bytes(orjson.dumps(fitting))
    assert f"{name} is damaged" in refused(good)
    (good / MANIFEST).write_bytes(orjson.dumps(manifest))
    a_file(good, ".term").unlink()
    assert "can't be copied" in refused(good)
    add(store, "alpha four")
    indexer.step()
    assert found(reader, "alpha") == ALL | {"alpha four"}


def test_a_damaged_index_is_not_copied(
    tmp_path: Path, root: Path, indexer: Follower, reader: IndexReader
) -> None:
    """A backup holds what was written, or is none; a folder that holds something is left alone."""
    flip(a_file(folder_of(reader, root), ".pos"))
    with pytest.raises(IndexUnavailable):
        indexer.backup(tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(LiveData):
        indexer.backup(tmp_path / "mine")


def test_a_place_that_takes_no_copy_is_named(
    tmp_path: Path, indexer: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a file, where no folder can be made, on a full disk: the reason, and nothing left."""
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        with pytest.raises(IndexBackupUnwritable) as refused:
            indexer.backup(place)
        assert str(place) in refused.value.details["reason"]

    def full(path: Path, copy: Path) -> None:
        copy.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backup, "measure", full)
    with pytest.raises(IndexBackupUnwritable) as refused:
        indexer.backup(tmp_path / "copy")
    assert "No space" in refused.value.details["reason"]
    assert list((tmp_path / "copy").iterdir()) == []


@pytest.mark.parametrize("opened", [True, False])
def test_a_search_that_meets_damage_has_it_mended(
    root: Path, indexer: Follower, reader: IndexReader, opened: bool
) -> None:
    """What the engine can't read or open is unavailable, and noted without waiting for a check."""
    if opened:
        assert found(reader, "three") == {"alpha three"}
    for path in folder_of(reader, root).glob("*.store"):
        with path.open("r+b") as file:  # in place: the reader has it mapped
            file.write(b"\xff" * 64)
    with pytest.raises(IndexUnavailable) as refused:
        found(reader, "alpha")
    assert refused.value.details == {"reason": "a file is damaged; built anew"}
    assert reader.damage() is not None
    indexer.step()
    assert found(reader, "alpha") == ALL


def test_a_damaged_dictionary_ends_guesses_and_not_searches(
    root: Path, indexer: Follower, reader: IndexReader, store: Store
) -> None:
    """It is noted and mended as if the search had failed; until then it goes on, and says so."""
    letters = string.ascii_lowercase
    for one in letters:
        add(store, " ".join(f"threa{one}{other}" for other in letters))
    indexer.rebuild()
    sound = misspelt(reader)
    assert (sound["total"], "three for thref" in sound["interpreted_as"]) == (3, True)
    assert sound["did_you_mean"] == "alpha three"
    before = folder_of(reader, root)
    reply = _without_guesses(root, a_file(before, ".term"))
    assert LOST in reply["interpreted_as"]
    assert (reply["total"], reply["did_you_mean"]) == (3, None)
    noted = reader.damage()
    assert noted is not None
    assert noted.folder == before.name
    indexer.step()
    assert misspelt(reader)["interpreted_as"] == sound["interpreted_as"]


def misspelt(reader: IndexReader) -> dict[str, Any]:
    """A reply to a query with a misspelt word."""
    reply: dict[str, Any] = orjson.loads(reader.search(SearchQuery(q="alpha thref", limit=100)))
    return reply


def _without_guesses(root: Path, terms: Path) -> dict[str, Any]:
    """The reply from the first of many damaged states in which words can't be read for guesses.

    All that a search needs itself is in the same file, and most of the file no search reads.
    """
    sound = terms.read_bytes()
    for place in range(0, len(sound), WINDOW):
        with terms.open("r+b") as file:
            file.write(sound[:place] + b"\xff" * WINDOW + sound[place + WINDOW :])
        with contextlib.suppress(IndexUnavailable):
            reply = misspelt(IndexReader(root))
            if LOST in reply["interpreted_as"]:
                return reply
        (root / "damage.json").unlink(missing_ok=True)
    raise AssertionError("no search has met damage where only guesses read")
