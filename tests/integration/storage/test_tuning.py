"""Synonyms and pins, from PostgreSQL to the searches of a node."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from actors import entries, tuning
from contracts.base import Nothing
from contracts.entries import ChangeEntryState, CreateEntry, EntryFields
from contracts.errors import EntryNotFound, PinNotFound, SynonymsNotFound, ValidationFailed
from contracts.suggest import Suggest, Suggestions
from contracts.tuning import PinEntries, PublishedTuning, SetSynonyms, Unpin
from storage.index.follower import Follower
from storage.index.seal import unseal
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


def published(root: Path) -> PublishedTuning:
    """What searches read."""
    return PublishedTuning.model_validate_json(unseal((root / "tuning.json").read_bytes()))


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


def test_what_there_is_not_is_refused(store: Store) -> None:
    """A mistyped id or category is noticed; what holds a part is a category."""
    known = add(store, "runbook", "Mainframe/DB2")
    with pytest.raises(EntryNotFound) as refused:
        pin(store, "open", known, UUID(int=7), UUID(int=8))
    assert refused.value.details == {"id": str(UUID(int=7))}
    with pytest.raises(ValidationFailed):
        tuning.set_synonyms(SetSynonyms(word="a", same_as=("b",), category="Main"), store)
    assert tuning.show(Nothing(), store).version == 0
    for category in ("mainframe", "Mainframe/db2", "JCL", ""):
        tuning.set_synonyms(SetSynonyms(word="a", same_as=("b",), category=category), store)


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
    """A pinned entry outside the filter is not shown, nor one that is archived or gone."""
    add(store, "open fails", "VSAM")
    db2, old = add(store, "runbook", "DB2"), add(store, "old runbook", "VSAM")
    entries.archive(ChangeEntryState(id=old), store)
    gone = add(store, "gone", "VSAM")
    pin(store, "open", db2, old, gone)
    entries.delete(ChangeEntryState(id=gone), store)
    follower.step()
    assert titles(reader, "open") == ["runbook", "open fails"]
    assert titles(reader, "open", category=["VSAM"]) == ["open fails"]


def test_what_was_published_comes_back(
    store: Store, follower: Follower, reader: IndexReader, root: Path
) -> None:
    """A lost file costs the tuning until the writer's next step, a damaged one who has read
    nothing before until its next start; neither costs a search."""
    one = add(store, "runbook")
    pin(store, "open", one)
    follower.step()
    file = root / "tuning.json"
    file.unlink()
    assert titles(reader, "open") == []
    follower.step()
    assert titles(reader, "open") == ["runbook"]
    file.write_text("{")
    assert titles(reader, "open") == ["runbook"]
    other = IndexReader(root)
    assert titles(other, "open") == []
    follower.close()
    again = Follower(root, store)
    again.step()
    again.close()
    assert titles(other, "open") == ["runbook"]


@pytest.mark.parametrize("place", ['"runbook"', '"version"', ',"crc"', "crc"])
def test_a_flipped_bit_is_noticed_and_mended(
    store: Store, follower: Follower, reader: IndexReader, root: Path, place: str
) -> None:
    """Searches go on in what was read before, and believe nothing else; the index stays."""
    one = add(store, "runbook")
    tuning.set_synonyms(SetSynonyms(word="manual", same_as=("runbook",)), store)
    pin(store, "open", one)
    follower.step()
    assert follower.check().damaged == ()
    file, before = root / "tuning.json", reader.published()
    written = file.read_bytes()
    assert titles(reader, "open") == titles(reader, "manual") == ["runbook"]
    flipped = bytearray(written)
    flipped[written.rindex(place.encode()) + 1] ^= 1
    file.write_bytes(flipped)
    assert titles(reader, "open") == titles(reader, "manual") == ["runbook"]
    assert follower.check(whole=False).damaged == ("tuning.json",)
    follower.step()
    assert file.read_bytes() == written
    assert follower.check().damaged == ()
    assert reader.published() == before
    assert titles(reader, "open") == titles(reader, "manual") == ["runbook"]


def test_nothing_is_written_while_nothing_changes(
    store: Store, follower: Follower, root: Path
) -> None:
    """Steps without a change leave the file as it is."""
    follower.step()
    before = (root / "tuning.json").stat().st_ino
    add(store, "one")
    follower.step()
    assert (root / "tuning.json").stat().st_ino == before
    assert published(root) == PublishedTuning(version=0)


def count(store: Store, query: str, searches: int, empty: int, days_ago: int = 0) -> None:
    """Searches of one day, as a roll-up has counted them."""
    with store.transaction() as tx:
        tx.connection.execute(
            "insert into query_days values ((now() at time zone 'UTC')::date - %s::integer, %s, %s,"
            " %s, 0, 0, 0, 0)",
            (days_ago, query, searches, empty),
        )


def suggested(reader: IndexReader, q: str) -> list[tuple[str, str]]:
    """Kinds and texts, in order."""
    reply = Suggestions.model_validate_json(reader.suggest(Suggest(q=q)))
    return [(one.kind, one.text) for one in reply.suggestions]


def test_popular_queries_are_suggested_after_codes_and_before_titles(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """Those that found something often enough and lately; not what was masked, nor a code twice."""
    add(store, "S0C7 in payroll")
    for query, searches, empty, days_ago in (
        ("s0c7", 9, 0, 0),
        ("s0c7 in cobol", 2, 0, 0),
        ("s0c7 in cobol", 2, 0, 29),
        ("s0c7 payroll", 9, 0, 1),
        ("s0c7 of nobody", 9, 7, 0),
        ("s0c7 long ago", 9, 0, 30),
        ("s0c7 for <email>", 9, 0, 0),
        ("s0c7 " + "x" * 100, 9, 0, 0),
    ):
        count(store, query, searches, empty, days_ago)
    tuning.popularise(Nothing(), store)
    follower.step()
    assert suggested(reader, "S0C") == [
        ("code", "S0C7"),
        ("query", "s0c7 payroll"),
        ("query", "s0c7 in cobol"),
        ("entry", "S0C7 in payroll"),
    ]
    assert suggested(reader, "S0C7  in c") == [("query", "s0c7 in cobol")]
    assert suggested(reader, "s0c7 in cobol") == []


def test_a_count_that_says_nothing_new_publishes_nothing(
    store: Store, follower: Follower, root: Path
) -> None:
    """The version stands still while what is popular does; what no longer is, is forgotten."""
    count(store, "open fails", 3, 0)
    tuning.popularise(Nothing(), store)
    follower.step()
    before = (root / "tuning.json").stat().st_ino
    tuning.popularise(Nothing(), store)
    follower.step()
    assert (root / "tuning.json").stat().st_ino == before
    with store.transaction() as tx:
        tx.connection.execute("delete from query_days")
    tuning.popularise(Nothing(), store)
    follower.step()
    assert published(root) == PublishedTuning(version=2)


def test_a_file_of_another_release_is_read(
    store: Store, follower: Follower, reader: IndexReader, root: Path
) -> None:
    """One that knows no popular queries, or more than this release does; none has a checksum."""
    one = add(store, "runbook")
    pin(store, "open", one)
    follower.step()
    file = root / "tuning.json"
    kept = orjson.loads(unseal(file.read_bytes()))
    for other in ({k: v for k, v in kept.items() if k != "popular"}, kept | {"later": [1]}):
        file.unlink()
        file.write_bytes(orjson.dumps(other))
        assert titles(reader, "open") == ["runbook"]
