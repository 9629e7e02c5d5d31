"""What rows say of other entries of their source: kept by name, true as soon as both are here."""

from typing import Any
from uuid import UUID

import pytest

from actors import entries, imports
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    Entry,
    EntryFields,
    GetEntry,
    ListEntries,
    RelateEntries,
    RelationKind,
)
from contracts.imports import CheckChunk, FinishImport, ImportMode, ImportReport, StartImport
from pipelines.exporting import importable
from storage.postgres.store import Store
from tests.integration.actors.test_imports import chunk_of, counts

Data = dict[str, Any]
RELATED = RelationKind.RELATED
PREREQUISITE = RelationKind.PREREQUISITE


def row(name: str, *related: Any, **fields: Any) -> Data:
    """A row about the entry of this external id."""
    return {"external_id": name, "title": f"title {name}", "related": list(related), **fields}


def load(store: Store, *rows: Data, source: str = "wiki", **fields: Any) -> ImportReport:
    """Import each row as a chunk of its own; the report."""
    started = imports.start(StartImport(source=source, **fields), store)
    for number, data in enumerate(rows):
        imports.chunk(chunk_of(started.id, [data], number), store)
    finish = FinishImport(import_id=started.id, chunks=len(rows), max_removed=100)
    return imports.finish(finish, store)


def entry(store: Store, name: str, source: str = "wiki") -> Entry:
    """The entry of this name, as it is listed; read alone it is the same."""
    request = ListEntries(limit=500, source=source, archived=None)
    found = entries.list_page(request, store).entries
    (one,) = (entry for entry in found if entry.external_id == name)
    assert entries.get(GetEntry(id=one.id), store) == one
    return one


def related(store: Store, name: str, source: str = "wiki") -> set[tuple[str | None, RelationKind]]:
    """What an entry is related to."""
    return {(far.external_id, far.kind) for far in entry(store, name, source).relations}


def test_a_row_names_one_that_comes_later(store: Store) -> None:
    """The order of rows and chunks does not matter, and nothing is odd about it."""
    report = load(store, row("a", "b", {"to": "c", "kind": "prerequisite"}), row("b"), row("c"))
    assert related(store, "a") == {("b", RELATED), ("c", PREREQUISITE)}
    assert report.notes == ()


def test_a_target_that_is_not_here_is_a_note(store: Store) -> None:
    """The import succeeds and says where; when the target comes, it is linked."""
    report = load(store, row("a", "b"))
    assert report.counts.created == 1
    assert report.notes == (
        ":1: related to b, which source wiki does not have; it is linked when it comes.",
    )
    assert related(store, "a") == set()
    load(store, row("b"))
    assert related(store, "a") == {("b", RELATED)}


def test_what_a_row_no_longer_says_is_gone(store: Store) -> None:
    """The last row counts, also where nothing else of its entry has changed."""
    load(store, row("a", "b", "c"), row("b"), row("c"))
    report = load(store, row("a", "c"))
    assert report.counts.unchanged == 1
    assert related(store, "a") == {("c", RELATED)}


def test_names_are_those_of_one_source(store: Store) -> None:
    """Another source's entry of that name is not meant."""
    load(store, row("b"), source="there")
    load(store, row("a", "b"))
    assert related(store, "a") == set()


def test_rows_say_their_source_where_the_import_does_not(store: Store) -> None:
    """One import may hold rows of several sources; a source of its own goes before."""
    report = load(store, row("a", source="here"), row("a", source="there"), source="")
    assert report.counts.created == 2
    assert entry(store, "a", "here").id != entry(store, "a", "there").id
    assert load(store, row("a", source="here"), source="wiki").counts.created == 1
    assert entry(store, "a", "wiki")


def test_a_chunk_of_several_sources_adds_up(store: Store) -> None:
    """Each row is compared with its own source; the dry run counts alike."""
    rows = [row("a", source="one"), row("b", source="two"), row("a", source="two"), {"title": "x"}]
    checked = imports.check(CheckChunk(rows=chunk_of(UUID(int=0), rows).rows), store)
    assert checked.counts.model_dump() == {
        "received": 4, "created": 3, "updated": 0, "unchanged": 0, "rejected": 1,
    }  # fmt: skip
    started = imports.start(StartImport(), store)
    assert counts(imports.chunk(chunk_of(started.id, rows), store)) == (4, 3, 0, 0, 1)
    again = imports.start(StartImport(), store)
    assert counts(imports.chunk(chunk_of(again.id, rows), store)) == (4, 0, 0, 3, 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (row("a", "a"), "an entry can't be related to itself"),
        ({"title": "nameless", "related": ["b"]}, "only an entry with an external_id"),
        (row("a", {"to": "b", "kind": "cousin"}), "Input should be 'related'"),
        (row("a", related=5), "Input should be a valid tuple"),
    ],
)
def test_a_link_that_makes_no_sense_is_a_reject(store: Store, data: Data, message: str) -> None:
    """To itself, of nobody, of an unknown kind: the row is refused by its field."""
    started = imports.start(StartImport(source="wiki"), store)
    (reject,) = imports.chunk(chunk_of(started.id, [data]), store).rejects
    assert reject.field.startswith("related")
    assert message in reject.message


def test_a_circular_relation_is_a_note(store: Store) -> None:
    """Of prerequisites that come before themselves; what is only related may go round."""
    report = load(
        store,
        row("a", "b", {"to": "b", "kind": "prerequisite"}),
        row("b", "a", {"to": "c", "kind": "prerequisite"}),
        row("c", {"to": "a", "kind": "prerequisite"}),
    )
    assert report.notes == ("A circular relation (prerequisite) in source wiki: a → b → c → a.",)


def test_finishing_again_answers_the_same(store: Store) -> None:
    """A note stays in the report of the import that it is about."""
    report = load(store, row("a", "b"))
    load(store, row("b"))
    again = imports.finish(FinishImport(import_id=report.id, chunks=1), store)
    assert again == report


def test_a_replace_takes_links_with_it(store: Store) -> None:
    """Nothing before the switch; then what the rows say, also where all else is the same."""
    load(store, row("a", "b"), row("b", "a"), row("c", "a"))
    started = imports.start(StartImport(source="wiki", mode=ImportMode.REPLACE), store)
    rows = [row("a", "c"), row("b", "a"), {"external_id": "c", "related": ["b"]}]
    imports.chunk(chunk_of(started.id, rows), store)
    assert related(store, "a") == {("b", RELATED)}
    imports.finish(FinishImport(import_id=started.id, chunks=1, max_removed=100), store)
    assert related(store, "a") == {("c", RELATED)}
    assert related(store, "b") == {("a", RELATED)}
    assert related(store, "c") == {("a", RELATED)}  # its row was refused


def test_relations_by_hand_stay(store: Store) -> None:
    """A row does not take back what a person has stated; a person may take back a row's."""
    load(store, row("a", "b"), row("b"), row("c"))
    a, b, c = (entry(store, name).id for name in "abc")
    entries.relate(RelateEntries(id=a, to_id=c), store)
    entries.relate(RelateEntries(id=a, to_id=b, strength=0.5), store)
    assert {far.strength for far in entry(store, "a").relations} == {1.0, 0.5}
    load(store, row("a"))
    assert related(store, "a") == {("b", RELATED), ("c", RELATED)}
    load(store, row("a", "b"))
    entries.relate(RelateEntries(id=a, to_id=b, strength=None), store)
    assert related(store, "a") == {("c", RELATED)}


def test_a_link_waits_for_an_entry_that_was_deleted(store: Store) -> None:
    """Deleted it is related to nothing; imported again it is."""
    load(store, row("a", "b"), row("b"))
    entries.delete(ChangeEntryState(id=entry(store, "b").id), store)
    assert related(store, "a") == set()
    load(store, row("b"))
    assert related(store, "a") == {("b", RELATED)}


def test_a_row_finds_the_entry_that_it_was_exported_from(store: Store) -> None:
    """Made by hand it has no external id: its own id is that, and nothing is stored twice."""
    fields = EntryFields(title="by hand", problem="as it was")
    made = entries.create(CreateEntry(entry=fields), store).entry
    other = entries.create(CreateEntry(entry=EntryFields(title="another")), store).entry
    entries.relate(RelateEntries(id=made.id, to_id=other.id), store)
    made = entries.get(GetEntry(id=made.id), store)
    exported = importable(made).model_dump(mode="json")
    assert exported["related"] == [{"to": str(other.id), "kind": "related", "strength": 1.0}]
    edited = exported | {"solution": "edited in git"}
    checked = imports.check(CheckChunk(rows=chunk_of(UUID(int=0), [edited]).rows), store)
    assert checked.counts.updated == 1
    assert load(store, exported, source="").counts.unchanged == 1
    assert load(store, edited, source="").counts.updated == 1
    found = entries.get(GetEntry(id=made.id), store)
    assert (found.solution, found.external_id) == ("edited in git", str(made.id))
    assert [far.to_id for far in found.relations] == [other.id]
    report = load(store, edited, source="elsewhere")
    assert (report.counts.created, len(report.notes)) == (1, 1)
