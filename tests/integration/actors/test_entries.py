"""Entries on a real PostgreSQL: an actor is a plain function here."""

import threading
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from actors import entries
from contracts.base import new_id
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    Entry,
    EntryChanges,
    EntryFields,
    EntryStored,
    GetEntry,
    ListEntries,
    RelateEntries,
    RelationKind,
    UpdateEntry,
)
from contracts.errors import (
    DatabaseUnavailable,
    DuplicateEntry,
    EntryNotFound,
    KeyReused,
    ValidationFailed,
    VersionConflict,
)
from contracts.position import Position
from pipelines.exporting import importable, row_of
from storage.postgres.store import Store
from tests.support.deep import nested


def stored(store: Store, title: str = "S0C7 in the night batch", **fields: Any) -> EntryStored:
    """A new entry."""
    return entries.create(CreateEntry(entry=EntryFields(title=title, **fields)), store)


def read(store: Store, entry_id: UUID) -> Entry:
    """The entry as it is kept."""
    return entries.get(GetEntry(id=entry_id), store)


def count(store: Store, table: str) -> int:
    """Rows in a table."""
    with store.transaction() as tx:
        row = tx.connection.execute(f"select count(*) as n from {table}".encode()).fetchone()
        assert row is not None
        return int(row["n"])


def test_what_is_stored_can_be_read(store: Store) -> None:
    """Every field comes back as it was written, with version 1."""
    fields = EntryFields(
        title="S0C7 in PAYROLL",
        problem="Ünïcode ✓ and 'quotes'",
        solution="1. Mend",
        category="COBOL",
        severity="high",
        tags=("abend", "s0c7"),
        custom={"team": "payroll", "depth": {"n": [1, 2.5, None]}},
    )
    entry = entries.create(CreateEntry(entry=fields, by="ann"), store).entry
    kept = read(store, entry.id)
    assert kept == entry
    assert EntryFields(**kept.model_dump(include=set(EntryFields.model_fields))) == fields
    assert (kept.version, kept.created_by, kept.archived) == (1, "ann", False)
    assert entry.id.version == 7 or str(entry.id)[14] == "7"


def test_a_bare_title_is_a_draft(store: Store) -> None:
    """Problem and solution may be empty."""
    assert read(store, stored(store, "IEF450I").entry.id).solution == ""


def test_a_command_that_comes_twice_is_done_once(store: Store) -> None:
    """The second arrival of a key answers with the first result and changes nothing."""
    command = CreateEntry(entry=EntryFields(title="only once"))
    assert entries.create(command, store) == entries.create(command, store)
    assert count(store, "entries") == 1
    assert count(store, "changes") == 1


def test_two_arrivals_at_once_are_done_once(store: Store) -> None:
    """Eight threads with the same command make one entry and get one answer."""
    command = CreateEntry(entry=EntryFields(title="all at once"))
    answers: list[EntryStored] = []
    threads = [
        threading.Thread(target=lambda: answers.append(entries.create(command, store)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)
    assert count(store, "entries") == 1


def test_a_key_with_another_body_is_refused(store: Store) -> None:
    """A key names one effect."""
    entries.create(CreateEntry(key="k", entry=EntryFields(title="first body")), store)
    with pytest.raises(KeyReused):
        entries.create(CreateEntry(key="k", entry=EntryFields(title="other body")), store)


def test_the_same_text_is_refused_by_name(store: Store) -> None:
    """A hand-made duplicate names the entry that holds the text; spacing does not hide it."""
    first = stored(store, "the title", problem="some  text").entry
    with pytest.raises(DuplicateEntry) as refused:
        stored(store, "the title", problem="some\ntext ", severity="low")
    assert refused.value.details["entry_id"] == str(first.id)


def test_the_same_text_from_many_threads_is_stored_once(store: Store) -> None:
    """Different commands with one text: one is stored, the others are refused."""
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            stored(store, "raced", problem="same")
            outcomes.append("stored")
        except DuplicateEntry:
            outcomes.append("refused")

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["refused"] * 7 + ["stored"]


def test_an_update_keeps_the_state_before(store: Store) -> None:
    """Changing one field leaves the others, raises the version and keeps the old state."""
    entry = stored(store, "before", problem="kept").entry
    changes = EntryChanges(title="after")
    new = entries.update(UpdateEntry(id=entry.id, changes=changes, by="bob"), store).entry
    assert (new.title, new.problem, new.version, new.updated_by) == ("after", "kept", 2, "bob")
    states = entries.versions(GetEntry(id=entry.id), store).versions
    assert [(state.version, state.title) for state in states] == [(2, "after"), (1, "before")]


def test_a_number_that_an_earlier_release_took_can_be_read_and_lived_with(
    store: Store, database_url: str
) -> None:
    """PostgreSQL writes 1e20 as an integer beyond 64 bits; it is a float here, and no hindrance."""
    entry = stored(store, "measured").entry
    with psycopg.connect(database_url) as session:
        session.execute("""update entries set custom = '{"n": 123456789012345678901234567890}'""")
    found = entries.get(GetEntry(id=entry.id), store)
    assert found.custom == {"n": 123456789012345678901234567890.0}
    assert Entry.from_reply(found.model_dump_json().encode()) == found
    assert entries.list_page(ListEntries(), store).entries == (found,)
    change = UpdateEntry(id=entry.id, changes=EntryChanges(title="after"))
    assert entries.update(change, store).entry.custom == found.custom
    states = entries.versions(GetEntry(id=entry.id), store).versions
    assert [state.custom for state in states] == [found.custom] * 2
    with pytest.raises(ValidationError, match="write it as text"):
        EntryChanges(custom=found.custom)


def test_custom_fields_deeper_than_may_be_can_be_read_written_again_and_exported(
    store: Store, database_url: str
) -> None:
    """Earlier releases took what Pydantic's reader of JSON does not read back."""
    entry, deep = stored(store, "deep").entry, nested(250)
    with psycopg.connect(database_url) as session:
        session.execute("update entries set custom = %s", [Jsonb(deep)])
    found = entries.get(GetEntry(id=entry.id), store)
    assert Entry.from_reply(found.model_dump_json().encode()) == found
    assert orjson.loads(orjson.dumps(row_of(importable(found))))["custom"] == deep
    change = UpdateEntry(id=entry.id, changes=EntryChanges(title="after"))
    first = entries.update(change, store)
    assert first.entry.custom == deep
    assert entries.update(change, store) == first  # delivered twice


def test_an_update_that_changes_nothing_makes_no_version(store: Store) -> None:
    """Writing what is already there is no change, and is searchable where the entry is."""
    first = stored(store, "same")
    command = UpdateEntry(id=first.entry.id, changes=EntryChanges(title="same"))
    again = entries.update(command, store)
    assert again.entry.version == 1
    assert again.position == first.position


def test_a_stale_version_is_refused(store: Store) -> None:
    """An update that expects a version finds out that someone else was first."""
    entry = stored(store, "contested").entry
    entries.update(UpdateEntry(id=entry.id, changes=EntryChanges(severity="low")), store)
    with pytest.raises(VersionConflict) as refused:
        entries.update(
            UpdateEntry(id=entry.id, changes=EntryChanges(title="late"), expected_version=1), store
        )
    assert refused.value.details["current_version"] == 2
    assert read(store, entry.id).title == "contested"


def test_an_update_to_a_text_that_exists_is_refused(store: Store) -> None:
    """An update can't make a duplicate either."""
    stored(store, "taken")
    entry = stored(store, "mine").entry
    with pytest.raises(DuplicateEntry):
        entries.update(UpdateEntry(id=entry.id, changes=EntryChanges(title="taken")), store)


def test_archived_entries_leave_lists_and_come_back(store: Store) -> None:
    """Archiving hides an entry from lists, restoring shows it; both are in its history."""
    entry = stored(store, "hidden").entry
    entries.archive(ChangeEntryState(id=entry.id), store)
    assert entries.list_page(ListEntries(), store).entries == ()
    assert entries.list_page(ListEntries(archived=True), store).entries[0].id == entry.id
    entries.restore(ChangeEntryState(id=entry.id), store)
    assert entries.list_page(ListEntries(), store).entries[0].version == 3


def test_a_deleted_entry_is_gone_and_in_the_feed(store: Store) -> None:
    """Deleting removes the entry with its versions and tells the followers."""
    entry = stored(store, "going").entry
    entries.update(UpdateEntry(id=entry.id, changes=EntryChanges(title="gone")), store)
    done = entries.delete(ChangeEntryState(id=entry.id), store)
    with pytest.raises(EntryNotFound):
        read(store, entry.id)
    assert count(store, "entry_versions") == 0
    assert Position.parse(done.position).seq == 3


@pytest.mark.parametrize("operation", [entries.archive, entries.restore, entries.delete])
def test_what_does_not_exist_is_not_found(store: Store, operation: Any) -> None:
    """Every change of an unknown id is ENTRY_NOT_FOUND and leaves no key behind."""
    with pytest.raises(EntryNotFound):
        operation(ChangeEntryState(id=new_id()), store)
    assert count(store, "effects") == 0


def test_pages_hold_every_entry_once(store: Store) -> None:
    """Walking by cursor meets each entry once, newest first, while others are added."""
    ids = [stored(store, f"entry {n}").entry.id for n in range(7)]
    seen: list[UUID] = []
    cursor = None
    while True:
        page = entries.list_page(ListEntries(limit=3, cursor=cursor), store)
        seen += [entry.id for entry in page.entries]
        stored(store, f"late {len(seen)}")
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == ids[::-1]


def test_a_list_of_a_category_has_what_is_in_its_parts(store: Store) -> None:
    """However deep, as a search finds it: a slash says so, unless the category has a parent."""
    tree = ("Mainframe", "mainframe/DB2", "MAINFRAME/db2/ Utilities", "mainframes", "Batch", "JCL")
    for category in (*tree, "main_rame/x", "a/b", "/"):
        stored(store, f"in {category}", category=category)

    def titles(**filters: Any) -> set[str]:
        found: set[str] = set()
        for order in ("newest", "oldest"):
            wanted = ListEntries(order=order, **filters)
            found |= {entry.title for entry in entries.list_page(wanted, store).entries}
        return found

    db2 = {"in mainframe/DB2", "in MAINFRAME/db2/ Utilities"}
    assert titles(category="mainframe") == {"in Mainframe", *db2}
    assert titles(category="Mainframe/db2") == db2
    assert titles(category="batch") == {"in Batch", "in JCL"}  # as every Casebook has it
    assert titles(category="jcl") == {"in JCL"}
    assert titles(category="A") == {"in a/b"}  # no entry is in it
    assert titles(category="main_rame") == {"in main_rame/x"}
    assert titles(category="main") == set()


def test_lists_are_filtered(store: Store) -> None:
    """Category (whatever its case), tag, severity and source narrow a list."""
    stored(store, "one", category="DB2", tags=("a",), severity="high")
    stored(store, "two", category="db2", tags=("b",), severity="low")
    stored(store, "three", category="IMS", tags=("a",))

    def titles(**filters: Any) -> set[str]:
        return {e.title for e in entries.list_page(ListEntries(**filters), store).entries}

    assert titles(category="dB2") == {"one", "two"}
    assert titles(tag="a") == {"one", "three"}
    assert titles(severity="high") == {"one"}
    assert titles(category="DB2", tag="a") == {"one"}
    assert titles(source="elsewhere") == set()


def test_a_category_keeps_its_first_spelling(store: Store) -> None:
    """A category is known by its name in any case; a new one is made on first use."""
    assert stored(store, "one", category="vsam").entry.category == "VSAM"
    assert stored(store, "two", category="Printers").entry.category == "Printers"
    assert stored(store, "three", category="PRINTERS").entry.category == "Printers"


def test_a_cursor_of_another_kind_is_refused(store: Store) -> None:
    """A cursor that no list gave is an error, not an empty page."""
    with pytest.raises(ValidationFailed):
        entries.list_page(ListEntries(cursor="nonsense"), store)


def test_relations_are_stated_and_taken_back(store: Store) -> None:
    """A relation shows on its near end, can be changed, and goes with strength None."""
    one, two = stored(store, "one").entry.id, stored(store, "two").entry.id
    for strength in (0.5, 0.9):
        command = RelateEntries(
            id=one, to_id=two, kind=RelationKind.PREREQUISITE, strength=strength
        )
        entries.relate(command, store)
    (relation,) = read(store, one).relations
    assert (relation.to_id, relation.kind) == (two, RelationKind.PREREQUISITE)
    assert relation.strength == pytest.approx(0.9)
    assert read(store, two).relations == ()
    entries.relate(RelateEntries(id=one, to_id=two, kind="prerequisite", strength=None), store)
    assert read(store, one).relations == ()
    with pytest.raises(EntryNotFound):
        entries.relate(RelateEntries(id=one, to_id=new_id()), store)


def test_a_database_that_is_away_is_unavailable() -> None:
    """No server: a typed error that says so, and no password in it."""
    store = Store("postgresql://casebook:hunter2@127.0.0.1:1/none?connect_timeout=1")
    store.open()
    try:
        with pytest.raises(DatabaseUnavailable) as away:
            entries.get(GetEntry(id=new_id()), store)
        assert "hunter2" not in str(away.value.as_dict())
    finally:
        store.close()
