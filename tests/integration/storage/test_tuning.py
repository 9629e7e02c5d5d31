"""Synonyms and pins, from PostgreSQL to the searches of a node."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError

from actors import entries, tuning
from contracts.base import Nothing
from contracts.entries import ChangeEntryState, CreateEntry, EntryFields
from contracts.errors import PinNotFound, SynonymsNotFound
from contracts.tuning import PinEntries, SearchTuning, SetSynonyms, Unpin
from storage.index.follower import Follower
from storage.index.searcher import IndexReader
from storage.postgres.store import Store
from tests.integration.storage.index.index_helpers import ask, titles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where this test's index is."""
    return tmp_path / "index"


@pytest.fixture
def follower(root: Path, store: Store) -> Iterator[Follower]:
    """A follower of this test's database."""
    follower = Follower(root, store)
    yield follower
    follower.close()


@pytest.fixture
def reader(root: Path) -> IndexReader:
    """A reader of the same index."""
    return IndexReader(root)


def add(store: Store, title: str, category: str = "Other") -> UUID:
    """A new entry's id."""
    command = CreateEntry(entry=EntryFields(title=title, category=category))
    return entries.create(command, store).entry.id


def pin(store: Store, query: str, *ids: UUID) -> None:
    """Show these first."""
    tuning.pin(PinEntries(query=query, entries=ids), store)


def test_synonyms_are_kept_replaced_and_taken_back(store: Store) -> None:
    """A word has one set in a category; the version grows with every change."""
    said = SetSynonyms(word="Started  Task", same_as=("STC",), by="ann")
    assert tuning.set_synonyms(said, store).version == 1
    tuning.set_synonyms(SetSynonyms(word="started task", same_as=("stc", "server")), store)
    tuning.set_synonyms(SetSynonyms(word="stc", same_as=("tape",), category="Batch"), store)
    found = tuning.show(Nothing(), store)
    assert [(one.category, one.word, one.same_as) for one in found.synonyms] == [
        ("", "started task", ("stc", "server")),
        ("Batch", "stc", ("tape",)),
    ]
    gone = SetSynonyms(word="stc", same_as=(), category="Batch")
    assert tuning.set_synonyms(gone, store).version == found.version + 1
    with pytest.raises(SynonymsNotFound):
        tuning.set_synonyms(SetSynonyms(word="tape", same_as=()), store)


def test_what_can_not_be_meant_is_refused() -> None:
    """An empty word or query, and a pin without entries, say so."""
    for bad in (
        lambda: SetSynonyms(word="  ", same_as=("x",)),
        lambda: PinEntries(query="\n", entries=(UUID(int=1),)),
        lambda: PinEntries(query="x", entries=()),
    ):
        with pytest.raises(ValidationError):
            bad()


def test_searches_see_synonyms_without_a_new_index(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """The next step of the index writer brings them, and brings their end."""
    add(store, "abend in a started task")
    follower.step()
    assert titles(reader, "stc") == []
    tuning.set_synonyms(SetSynonyms(word="stc", same_as=("started task",)), store)
    follower.step()
    assert titles(reader, "stc") == ["abend in a started task"]
    tuning.set_synonyms(SetSynonyms(word="stc", same_as=()), store)
    follower.step()
    assert titles(reader, "stc") == []


def test_pins_are_first_in_their_order(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """For exactly this query, in any case and spacing; not for a part of it."""
    add(store, "open fails with S0C7")
    one, two = add(store, "call the storage team"), add(store, "how to restart")
    pin(store, "Open  FAILS s0c7", two, one)
    follower.step()
    found = ask(reader, " open fails S0C7 ")
    assert [(hit.title, hit.matched) for hit in found.hits] == [
        ("how to restart", "pinned"),
        ("call the storage team", "pinned"),
        ("open fails with S0C7", "code"),
    ]
    assert found.total == 3
    assert titles(reader, "open fails s0c7", limit=1, offset=1) == ["call the storage team"]
    assert titles(reader, "open fails") == ["open fails with S0C7"]
    tuning.unpin(Unpin(query="OPEN fails s0c7"), store)
    follower.step()
    assert titles(reader, "open fails s0c7") == ["open fails with S0C7"]
    with pytest.raises(PinNotFound):
        tuning.unpin(Unpin(query="open fails s0c7"), store)


def test_pins_respect_filters_and_archived_entries(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """A pinned entry outside the filter is not shown, nor one that is archived or never was."""
    add(store, "open fails", "VSAM")
    db2, old = add(store, "runbook", "DB2"), add(store, "old runbook", "VSAM")
    entries.archive(ChangeEntryState(id=old), store)
    pin(store, "open", db2, old, UUID(int=7))
    follower.step()
    assert titles(reader, "open") == ["runbook", "open fails"]
    assert titles(reader, "open", category=["VSAM"]) == ["open fails"]


def test_what_was_published_comes_back(
    store: Store, follower: Follower, reader: IndexReader, root: Path
) -> None:
    """A lost or damaged file costs the tuning until the writer's next step or start, no search."""
    one = add(store, "runbook")
    pin(store, "open", one)
    follower.step()
    file = root / "tuning.json"
    file.unlink()
    assert titles(reader, "open") == []
    follower.step()
    assert titles(reader, "open") == ["runbook"]
    file.write_text("{")
    assert titles(reader, "open") == []
    follower.close()
    again = Follower(root, store)
    again.step()
    again.close()
    assert titles(reader, "open") == ["runbook"]


def test_nothing_is_written_while_nothing_changes(
    store: Store, follower: Follower, root: Path
) -> None:
    """Steps without a change leave the file as it is."""
    follower.step()
    before = (root / "tuning.json").stat().st_ino
    add(store, "one")
    follower.step()
    assert (root / "tuning.json").stat().st_ino == before
    kept = SearchTuning.model_validate_json((root / "tuning.json").read_bytes())
    assert kept == SearchTuning(version=0)
