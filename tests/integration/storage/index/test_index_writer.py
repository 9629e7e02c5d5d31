"""Writing the index: batches, commits, rebuilds, and what is left after accidents."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.errors import IndexUnavailable
from storage.index import published as room
from storage.index.published import IndexMoved, WriterBusy
from storage.index.searcher import IndexReader
from storage.index.writer import IndexWriter
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, at, entry, titles


def test_an_entry_is_replaced_and_deleted(fill: Fill, writer: IndexWriter) -> None:
    """Applying an entry again replaces it; a deleted one is gone."""
    reader = fill(entry("first"), entry("second"))
    writer.apply([entry("first", "now with text", version=2)], [entry("second").id])
    assert ask(reader).total == 2
    writer.commit(at(2))
    assert [(hit.title, hit.version) for hit in ask(reader).hits] == [("first", 2)]


def test_the_last_of_two_in_a_batch_counts(fill: Fill, writer: IndexWriter) -> None:
    """An entry that comes twice in one batch is in the index once."""
    reader = fill(entry("first"), entry("first", version=2))
    assert [hit.version for hit in ask(reader).hits] == [2]


def test_generations_grow(root: Path, writer: IndexWriter) -> None:
    """Each commit has a higher generation, over a rebuild and over a lost folder too."""
    generations = [writer.commit(at(number)) for number in range(1, 4)]
    writer.close()
    again = IndexWriter.build_new(root)
    generations.append(again.commit(at(4)))
    again.close()
    (root / room.NAME).unlink()
    anew = IndexWriter.build_new(root)
    generations.append(anew.commit(at(5)))
    anew.close()
    assert generations == sorted(set(generations))


def test_the_clock_may_go_back(
    root: Path, writer: IndexWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that was set back does not set the generation back."""
    first = writer.commit(at(1))
    monkeypatch.setattr("storage.index.writer.time.time_ns", lambda: 0)
    assert writer.commit(at(2)) == first + 1


def test_what_is_published_says_where_it_is(root: Path, fill: Fill, writer: IndexWriter) -> None:
    """The published file tells folder, generation, position and count; the reply agrees."""
    reader = fill(entry("first"))
    told, reply = reader.published(), ask(reader)
    assert told is not None
    assert (root / told.folder / "meta.json").exists()
    assert (told.position, told.documents) == (at(1), 1)
    assert (str(told.position), told.generation) == (reply.position, reply.generation)


def test_writing_goes_on_after_opening(root: Path, fill: Fill, writer: IndexWriter) -> None:
    """A writer that is opened again knows its position and keeps the entries."""
    reader = fill(entry("first"))
    writer.close()
    again = IndexWriter.open_current(root)
    assert again is not None
    assert again.position == at(1)
    again.apply([entry("second")], ())
    again.commit(at(2))
    again.close()
    assert sorted(titles(reader)) == ["first", "second"]


def test_uncommitted_changes_are_undone_by_closing(
    root: Path, fill: Fill, writer: IndexWriter
) -> None:
    """What was applied and not committed never shows."""
    reader = fill(entry("first"))
    writer.apply([entry("second")], [entry("first").id])
    writer.close()
    again = IndexWriter.open_current(root)
    assert again is not None
    again.commit(at(2))
    again.close()
    assert titles(reader) == ["first"]


def test_a_folder_has_one_writer(root: Path, fill: Fill) -> None:
    """A second writer is refused, clearly."""
    fill(entry("first"))
    with pytest.raises(WriterBusy):
        IndexWriter.open_current(root)


def test_a_bad_entry_is_refused_before_its_batch(fill: Fill, writer: IndexWriter) -> None:
    """An entry that does not fit fails its call and loses nothing that was applied."""
    reader = fill(entry("first"))
    writer.apply([entry("second")], ())
    with pytest.raises((TypeError, ValueError, AttributeError)):
        writer.apply([entry("third"), entry("bad", version=1, updated_at="today")], ())
    writer.commit(at(2))
    assert sorted(titles(reader)) == ["first", "second"]


def test_a_killed_commit_is_published_on_opening(
    root: Path, fill: Fill, writer: IndexWriter
) -> None:
    """The position in the index is right where the published file is one commit behind."""
    reader = fill(entry("first"))
    before = (root / room.NAME).read_bytes()
    writer.apply([entry("second")], ())
    writer.commit(at(2))
    writer.close()
    (root / room.NAME).write_bytes(before)
    again = IndexWriter.open_current(root)
    assert again is not None
    assert again.position == at(2)
    told = reader.published()
    assert told is not None
    assert (told.position, told.documents) == (at(2), 2)
    again.close()


@pytest.mark.parametrize(
    "damage", ["gone", "empty", "cut", "no segments", "cut segment", "garbage", "old schema"]
)
def test_what_can_t_be_used_is_to_be_rebuilt(
    root: Path, fill: Fill, writer: IndexWriter, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost, damaged or outdated index opens as None, and a new one takes its place."""
    fill(*(entry(f"entry {n}") for n in range(20)))
    writer.close()
    folder = next(root.glob("v*-*"))
    if damage == "old schema":
        monkeypatch.setattr("storage.index.published.SCHEMA_VERSION", 99)
    elif damage == "garbage":
        (root / room.NAME).write_bytes(b"\x00garbage")
    elif damage == "cut":
        (folder / "meta.json").write_bytes((folder / "meta.json").read_bytes()[:-20])
    elif damage == "cut segment":
        terms = next(folder.glob("*.term"))
        terms.write_bytes(terms.read_bytes()[:-20])
    else:
        kept = {"gone": "", "empty": "no file", "no segments": "meta.json"}[damage]
        for path in folder.iterdir():
            if path.name != kept:
                path.unlink()
        if damage == "gone":
            folder.rmdir()
    assert IndexWriter.open_current(root) is None
    with pytest.raises(IndexUnavailable):
        ask(IndexReader(root))
    monkeypatch.undo()
    anew = IndexWriter.build_new(root)
    anew.apply([entry("new")], ())
    anew.commit(at(1))
    assert anew.published()
    assert titles(IndexReader(root)) == ["new"]
    anew.close()


def test_a_rebuild_takes_over_at_its_first_commit(
    root: Path, fill: Fill, writer: IndexWriter
) -> None:
    """Searches see the old index until the new one is whole; then the old folder goes."""
    reader = fill(entry("old"))
    writer.close()
    anew = IndexWriter.build_new(root)
    anew.apply([entry("new")], ())
    assert titles(reader) == ["old"]
    anew.commit(at(2))
    assert titles(reader) == ["new"]
    anew.close()
    assert len(list(root.glob("v*-*"))) == 1


def test_an_old_writer_can_t_take_the_place_back(
    root: Path, fill: Fill, writer: IndexWriter
) -> None:
    """After a swap the writer of the old folder is refused, and told so."""
    reader = fill(entry("old"))
    anew = IndexWriter.build_new(root)
    anew.commit(at(2))
    assert not writer.published()
    with pytest.raises(IndexMoved):
        writer.commit(at(3))
    assert titles(reader) == []
    anew.close()


def test_a_half_built_folder_is_cleared_away(root: Path, fill: Fill, writer: IndexWriter) -> None:
    """What a killed rebuild left is removed when writing begins again; a live one is spared."""
    fill(entry("first"))
    writer.close()
    half = IndexWriter.build_new(root)
    current = IndexWriter.open_current(root)
    assert current is not None
    assert len(list(root.glob("v*-*"))) == 2
    half.close()
    current.close()
    current = IndexWriter.open_current(root)
    assert current is not None
    told = room.read(root)
    assert told is not None
    assert [path.name for path in root.glob("v*-*")] == [told.folder]
    current.close()


OTHER_RELEASE = """
import sys
from pathlib import Path
from storage.index import schema
schema.SCHEMA_VERSION = 99
from storage.index.published import read
from storage.index.writer import IndexWriter
from tests.integration.storage.index.index_helpers import at, entry

root = Path(sys.argv[1])
writer = IndexWriter.open_current(root)
if writer is None:
    writer = IndexWriter.build_new(root)
    writer.apply([entry("of another release")], ())
    writer.commit(at(1))
writer.close()
assert read(root).documents == 1
"""


def test_another_release_builds_beside_this_one(
    root: Path, fill: Fill, writer: IndexWriter
) -> None:
    """Both schema versions are searched and written; what only the older one uses goes later."""

    def other_release() -> None:
        environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
        subprocess.run(
            [sys.executable, "-c", OTHER_RELEASE, str(root)], env=environment, check=True
        )

    reader = fill(entry("first"))
    writer.close()
    other_release()
    assert titles(reader) == titles(IndexReader(root)) == ["first"]
    again = IndexWriter.open_current(root)
    assert again is not None
    again.apply([entry("second")], ())
    again.commit(at(2))
    again.close()
    assert len(titles(reader)) == 2
    other_release()
    assert len(titles(IndexReader(root))) == 2
    long_ago = time.time() - 2 * room.KEEP_OTHERS
    os.utime(root / room.NAME, (long_ago, long_ago))
    other_release()
    assert IndexReader(root).published() is None
    assert len(list(root.glob("v*-*"))) == 1
