"""Many entries at once on real servers: read, changed, removed, and an import taken back."""

import logging
import re
from typing import Any
from uuid import UUID

import pytest

from actors import bulk, entries, imports, tasks, tracking
from contracts.base import new_id
from contracts.bulk import (
    ChangeEntries,
    ChangeSelected,
    EntriesChanged,
    GetEntries,
    GetSkips,
    UndoImport,
)
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    Entry,
    EntryChanges,
    EntryFields,
    GetEntry,
    ListEntries,
    Severity,
    UpdateEntry,
)
from contracts.errors import ImportNotFound, ImportUndone, UndoTooLate
from contracts.imports import (
    Duplicates,
    FinishImport,
    GetImport,
    ImportChunk,
    ImportMode,
    ImportRow,
    StartImport,
)
from contracts.tasks import CancelTask, GetTask, ResumeTask
from storage.postgres.store import Store, Transaction
from tests.support.house import House


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What is refused here is meant to be."""
    caplog.set_level(logging.CRITICAL)


def stored(house: House, title: str, **fields: Any) -> UUID:
    """A new entry's id."""
    command = CreateEntry(entry=EntryFields(title=title, **fields))
    return entries.create(command, house.store).entry.id


def read(house: House, entry: UUID) -> Entry:
    """The entry as it is."""
    return entries.get(GetEntry(id=entry), house.store)


def run(house: House, command: ChangeEntries | UndoImport) -> tuple[UUID, EntriesChanged]:
    """Start a change and work it off; the task, and what it came to."""
    operation = bulk.undo if isinstance(command, UndoImport) else bulk.start
    started = house.call(operation, command)
    with house.running("upkeep"):
        house.until("select 1 from tasks where id = %s and status = 'succeeded'", started.task)
    result = house.call(tasks.get, GetTask(id=started.task)).result
    return started.task, EntriesChanged(**result)


def load(
    house: House, *rows: dict[str, Any], finished: bool = True, number: int = 0, **fields: Any
) -> UUID:
    """Import rows as one chunk; the import's id."""
    command = StartImport(**{"source": "wiki"} | fields)
    import_id = imports.start(command, house.store).id
    found = tuple(ImportRow(line=n, data=row) for n, row in enumerate(rows, 1))
    chunk = ImportChunk(import_id=import_id, chunk=number, digest="d", rows=found)
    imports.chunk(chunk, house.store)
    if finished:
        imports.finish(FinishImport(import_id=import_id, chunks=1), house.store)
    return import_id


def by_title(house: House) -> dict[str, Entry]:
    """Every entry, archived ones too."""
    page = entries.list_page(ListEntries(limit=500, archived=None), house.store)
    return {entry.title: entry for entry in page.entries}


def test_many_entries_are_read_at_once(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order asked for, each once, by one statement however many there are."""
    ids = [stored(house, f"entry {n}") for n in range(5)]
    statements: list[str] = []
    original = type(store).transaction

    def counted(self: Store) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def counting() -> Any:
            with original(self) as tx:
                rows = tx.rows

                def noted(name: str, *rest: Any, **more: Any) -> Any:
                    statements.append(name)
                    return rows(name, *rest, **more)

                tx.rows = noted  # type: ignore[method-assign]  # looks on
                yield tx

        return counting()

    monkeypatch.setattr(type(store), "transaction", counted)
    nobody = new_id()
    wanted = (ids[3], ids[0], nobody, ids[3])
    found = house.call(entries.get_many, GetEntries(ids=wanted))
    assert [entry.id for entry in found.entries] == [ids[3], ids[0]]
    assert found.missing == (nobody,)
    assert statements == ["entries.get_many"]


def test_a_selection_is_changed_and_nothing_else(house: House) -> None:
    """Every entry that fits gets a version; the count was known before."""
    ours = [stored(house, f"ours {n}", category="DB2") for n in range(3)]
    other = stored(house, "other", category="VSAM")
    command = ChangeEntries(
        category="db2", action="update", changes=EntryChanges(severity=Severity.HIGH), by="eve"
    )
    assert house.call(bulk.count, command).count == 3
    assert {read(house, one).version for one in ours} == {1}
    task, result = run(house, command)
    assert (result.changed, result.unchanged, result.skipped) == (3, 0, 0)
    for one in ours:
        entry = read(house, one)
        assert (entry.severity, entry.version, entry.updated_by) == ("high", 2, "eve")
    assert read(house, other).version == 1
    found = house.call(tasks.get, GetTask(id=task))
    assert (found.type, found.done, found.total) == ("update", 3, 3)
    assert found.position == result.position
    _, again = run(house, command.renewed().model_copy(update={"instead_of": None}))
    assert (again.changed, again.unchanged) == (0, 3)


def test_entries_are_archived_restored_and_deleted(house: House) -> None:
    """By id, by tag and by source; archived ones are chosen only where asked for."""
    one, two = stored(house, "one", tags=("old",)), stored(house, "two")
    run(house, ChangeEntries(tag="old", action="archive"))
    assert (read(house, one).archived, read(house, two).archived) == (True, False)
    _, none = run(house, ChangeEntries(tag="old", action="delete"))
    assert none.changed == 0
    run(house, ChangeEntries(tag="old", action="restore", archived=True))
    assert not read(house, one).archived
    run(house, ChangeEntries(ids=(one,), action="delete"))
    assert list(by_title(house)) == ["two"]
    load(house, {"title": "from the wiki", "external_id": "1"})
    run(house, ChangeEntries(source="wiki", external_ids=("1",), action="delete"))
    assert list(by_title(house)) == ["two"]


def test_what_can_t_be_changed_is_passed_over_and_named(house: House) -> None:
    """A duplicate and an entry that has gone leave the others changed."""
    kept, gone = stored(house, "kept"), stored(house, "gone")
    twin = stored(house, "twin")
    command = ChangeEntries(
        ids=(kept, gone, twin), action="update", changes=EntryChanges(title="the same")
    )
    started = house.call(bulk.start, command)
    entries.delete(ChangeEntryState(id=gone), house.store)
    with house.running("upkeep"):
        house.until("select 1 from tasks where id = %s and status = 'succeeded'", started.task)
    result = EntriesChanged(**house.call(tasks.get, GetTask(id=started.task)).result)
    assert (result.changed, result.skipped) == (1, 2)
    page = house.call(bulk.skips, GetSkips(task=started.task))
    assert {(skip.entry_id, skip.code) for skip in page.skips} == {
        (gone, "ENTRY_NOT_FOUND"),
        (max(kept, twin), "DUPLICATE_ENTRY"),
    }
    first = house.call(bulk.skips, GetSkips(task=started.task, limit=1))
    rest = house.call(bulk.skips, GetSkips(task=started.task, cursor=first.next_cursor))
    assert (*first.skips, *rest.skips) == page.skips


@pytest.mark.parametrize("there", [True, False])
def test_ids_of_no_entry_are_skipped_and_named(house: House, there: bool) -> None:
    """In the count, the answer and by the task; an entry that does not fit is none of them."""
    kept, nobody = stored(house, "kept", category="DB2"), new_id()
    other = stored(house, "other", category="VSAM")
    ids = (nobody, other, nobody, *((kept,) if there else ()))
    command = ChangeEntries(ids=ids, category="DB2", action="archive")
    counted = house.call(bulk.count, command)
    assert (counted.count, counted.missing) == (int(there), (str(nobody),))
    task, result = run(house, command)
    assert (result.changed, result.skipped) == (int(there), 1)
    (skip,) = house.call(bulk.skips, GetSkips(task=task)).skips
    assert (skip.entry_id, skip.code) == (nobody, "ENTRY_NOT_FOUND")
    assert skip.message == "No entry has this id."
    assert house.call(bulk.start, command).missing == (str(nobody),)


@pytest.mark.parametrize("action", ["update", "delete", "archive", "restore"])
@pytest.mark.parametrize("named", ["ids", "external_ids"])
def test_named_entries_that_are_archived_are_told(house: House, action: Any, named: str) -> None:
    """An update and a delete skip and name them; archived already, or restored, is unchanged."""
    load(house, *({"title": f"entry {name}", "external_id": name} for name in "ab"))
    ours = {entry.external_id: entry.id for entry in by_title(house).values()}
    entries.archive(ChangeEntryState(id=ours["a"]), house.store)
    selected = {"ids": tuple(ours.values())} if named == "ids" else {"external_ids": ("a", "b")}
    changes = EntryChanges(severity=Severity.HIGH) if action == "update" else None
    command = ChangeEntries(source="wiki", action=action, changes=changes, **selected)
    refused = action in ("update", "delete")
    name = str(ours["a"]) if named == "ids" else "a"
    counted = house.call(bulk.count, command)
    assert (counted.count, counted.archived) == (1, (name,) if refused else ())
    task, result = run(house, command)
    assert (result.changed, result.unchanged, result.skipped) == (1, int(not refused), int(refused))
    skips = house.call(bulk.skips, GetSkips(task=task)).skips
    told = [(ours["a"], "ENTRY_ARCHIVED")] if refused else []
    assert [(skip.entry_id, skip.code) for skip in skips] == told
    assert house.call(bulk.start, command).archived == counted.archived


def test_a_restore_is_of_archived_entries_unless_it_says_otherwise() -> None:
    """Every other change is of the others."""
    assert ChangeEntries(source="wiki", action="restore").archived is True
    assert ChangeEntries(source="wiki", action="restore", archived=None).archived is None
    assert ChangeEntries(source="wiki", action="delete").archived is False
    assert ChangeEntries(source="wiki", action="delete", archived=True).archived is True


def test_external_ids_of_no_entry_are_counted_and_named(house: House) -> None:
    """Those of another source, too."""
    load(house, {"title": "of the wiki", "external_id": "1"})
    load(house, {"title": "of the forum", "external_id": "2"}, source="forum")
    command = ChangeEntries(source="wiki", external_ids=("1", "2", "x"), action="archive")
    counted = house.call(bulk.count, command)
    assert (counted.count, counted.missing) == (1, ("2", "x"))
    _, result = run(house, command)
    assert (result.changed, result.skipped) == (1, 2)
    assert not by_title(house)["of the forum"].archived


def test_a_change_is_stopped_and_taken_up_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch by batch; what was changed before the stop stays changed, once."""
    monkeypatch.setattr(bulk, "BATCH", 2)
    ids = [stored(house, f"entry {n}") for n in range(5)]
    changes = EntryChanges(solution="mended")
    started = house.call(
        bulk.start, ChangeEntries(everything=True, action="update", changes=changes)
    )
    command = ChangeSelected(task=started.task, action="update", changes=changes)
    with house.store.transaction() as tx:
        bulk._batch(command, tx)
    house.call(tasks.cancel, CancelTask(id=started.task))
    assert sum(read(house, one).version == 2 for one in ids) == 2
    house.call(tasks.resume, ResumeTask(id=started.task))
    with house.running("upkeep"):
        house.until("select 1 from tasks where id = %s and status = 'succeeded'", started.task)
    assert {read(house, one).version for one in ids} == {2}
    assert house.call(tasks.get, GetTask(id=started.task)).done == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "delete"},
        {"action": "update", "everything": True},
        {"action": "update", "everything": True, "changes": {}},
        {"action": "archive", "everything": True, "changes": {"title": "no change"}},
        {"action": "delete", "external_ids": ["1"]},
        {"action": "purge", "everything": True},
    ],
)
def test_a_selection_or_change_that_can_only_be_a_slip_is_refused(fields: dict[str, Any]) -> None:
    """Nothing named, nothing changed, ids of no source."""
    with pytest.raises(ValueError):
        ChangeEntries(**fields)


def test_an_import_is_taken_back(house: House) -> None:
    """What it created is archived, what it changed is as before, what was changed since stays."""
    load(
        house,
        {"title": "changed by it", "external_id": "1", "solution": "before"},
        {"title": "changed since", "external_id": "2", "solution": "before"},
        {"title": "as it was", "external_id": "3"},
    )
    import_id = load(
        house,
        {"title": "changed by it", "external_id": "1", "solution": "after"},
        {"title": "changed since", "external_id": "2", "solution": "after"},
        {"title": "as it was", "external_id": "3"},
        {"title": "created by it", "external_id": "4"},
        {"title": "without an id"},
    )
    since = by_title(house)["changed since"]
    entries.update(UpdateEntry(id=since.id, changes=EntryChanges(solution="by hand")), house.store)
    command = UndoImport(import_id=import_id, by="eve")
    counted = house.call(bulk.count_undo, command)
    assert (counted.count, counted.skipped, counted.later) == (3, 1, ())
    task, result = run(house, command)
    assert (result.changed, result.skipped) == (3, 1)
    now = by_title(house)
    assert now["changed by it"].solution == "before"
    assert now["changed by it"].version == 3
    assert now["changed since"].solution == "by hand"
    assert not now["as it was"].archived
    assert now["created by it"].archived
    assert now["without an id"].archived
    (skip,) = house.call(bulk.skips, GetSkips(task=task)).skips
    assert (skip.entry_id, skip.code) == (since.id, "VERSION_CONFLICT")


def test_an_undo_takes_as_many_statements_for_many_entries_as_for_few(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is taken back as a whole: what the import has created, and what it has changed."""
    statements: list[str] = []
    execute = Transaction._execute

    def noted(tx: Transaction, name: str, *rest: Any) -> Any:
        statements.append(name)
        return execute(tx, name, *rest)

    def taken_back(source: str, half: int) -> int:
        for text, rows in (("before", half), ("after", 2 * half)):
            data = (
                {"title": f"{source} {n}", "external_id": n, "problem": text} for n in range(rows)
            )
            import_id = load(house, *data, source=source)
        with house.store.transaction() as tx:
            tx.run("bulk.select_import", task_id=(task := opened(tx)), id=import_id, before=None)
            statements.clear()
            result, more = bulk._batch(ChangeSelected(task=task, action="undo", by="eve"), tx)
            count = len(statements)
        assert (result.changed, result.skipped, more) == (2 * half, 0, True)
        now = [one for one in by_title(house).values() if one.source == source]
        assert sum(one.archived for one in now) == half
        assert {one.problem for one in now if not one.archived} == {"before"}
        assert {one.version for one in now} == {2, 3}
        assert {one.updated_by for one in now} == {"eve"}
        return count

    monkeypatch.setattr(Transaction, "_execute", noted)
    assert taken_back("few", 2) == taken_back("many", 20)


def opened(tx: Transaction) -> UUID:
    """A task that takes something back."""
    tracking.open_task(tx, task := new_id(), "undo", "eve")
    return task


def test_an_entry_that_one_import_changed_twice_is_as_before_it(house: House) -> None:
    """Two chunks of one import may hold the same row; both go."""
    load(house, {"title": "the entry", "external_id": "1", "solution": "before"})
    import_id = imports.start(StartImport(source="wiki"), house.store).id
    for number, solution in enumerate(("once", "twice")):
        row = ImportRow(
            line=1, data={"title": "the entry", "external_id": "1", "solution": solution}
        )
        chunk = ImportChunk(import_id=import_id, chunk=number, digest=solution, rows=(row,))
        imports.chunk(chunk, house.store)
    assert by_title(house)["the entry"].version == 3
    run(house, UndoImport(import_id=import_id))
    assert by_title(house)["the entry"].solution == "before"


def test_imports_are_taken_back_one_after_another(house: House) -> None:
    """The last first: an entry that a later import changed is as this one left it again."""
    first = load(house, {"title": "first", "external_id": "1"})
    second = load(
        house, {"title": "second", "external_id": "1"}, {"title": "new", "external_id": "2"}
    )
    third = load(
        house, {"title": "third", "external_id": "1"}, {"title": "newer", "external_id": "2"}
    )
    for taken_back, left in ((third, {"second", "new"}), (second, {"first"}), (first, set())):
        task, result = run(house, UndoImport(import_id=taken_back))
        assert (result.changed, result.skipped) == (1 if taken_back == first else 2, 0), task
        live = {title for title, entry in by_title(house).items() if not entry.archived}
        assert live == left


def test_what_an_undo_has_left_is_taken_back_by_another(house: House) -> None:
    """In the wrong order the imports that come first are named; after them it ends as it should."""
    first = load(house, *({"title": f"first {n}", "external_id": f"{n}"} for n in (1, 2, 3)))
    second = load(house, *({"title": f"second {n}", "external_id": f"{n}"} for n in (1, 2)))
    third = load(house, {"title": "third 1", "external_id": "1"})
    counted = house.call(bulk.count_undo, UndoImport(import_id=first))
    assert (counted.count, counted.skipped, counted.later) == (1, 2, (third, second))
    task, result = run(house, UndoImport(import_id=first))
    assert (result.changed, result.skipped) == (1, 2)
    counted = house.call(bulk.count_undo, UndoImport(import_id=first))
    assert (counted.count, counted.skipped, counted.later) == (0, 2, (third, second))
    _, result = run(house, UndoImport(import_id=second))
    assert (result.changed, result.skipped) == (1, 1)
    counted = house.call(bulk.count_undo, UndoImport(import_id=first))
    assert (counted.count, counted.skipped, counted.later) == (1, 1, (third, second))
    for import_id, changed in ((third, 1), (second, 1), (first, 2)):
        counted = house.call(bulk.count_undo, UndoImport(import_id=import_id))
        assert (counted.count, counted.skipped, counted.later) == (changed, 0, ())
        task, result = run(house, UndoImport(import_id=import_id))
        assert (result.changed, result.skipped) == (changed, 0)
    assert {entry.archived for entry in by_title(house).values()} == {True}
    assert set(by_title(house)) == {"first 1", "first 2", "first 3"}
    with pytest.raises(UndoTooLate, match=f"Task {task} took it back"):
        house.call(bulk.undo, UndoImport(import_id=first))


def test_an_undo_that_has_not_ended_is_not_begun_again(house: House) -> None:
    """It runs, or is gone on with."""
    import_id = load(house, {"title": "first", "external_id": "1"})
    task = house.call(bulk.undo, UndoImport(import_id=import_id)).task
    with pytest.raises(UndoTooLate, match=f"Task {task} takes it back already"):
        house.call(bulk.undo, UndoImport(import_id=import_id))
    house.call(tasks.cancel, CancelTask(id=task))
    with pytest.raises(UndoTooLate, match=f"casebook tasks resume {task}"):
        house.call(bulk.count_undo, UndoImport(import_id=import_id))


ROWS = ({"title": "named", "external_id": "1"}, {"title": "without an id", "solution": "s"})


def told(house: House, import_id: UUID) -> tuple[int, int, int, tuple[str, ...]]:
    """Created, updated and unchanged rows of an import, and the notes of its report."""
    report = imports.report(GetImport(id=import_id), house.store)
    counts = report.counts
    return counts.created, counts.updated, counts.unchanged, report.notes


@pytest.mark.parametrize("mode", [ImportMode.UPSERT, ImportMode.CREATE])
@pytest.mark.parametrize("duplicates", list(Duplicates))
def test_what_was_taken_back_is_imported_again(
    house: House, mode: ImportMode, duplicates: Duplicates
) -> None:
    """Mended or as it was, with an id or without: it is live again, and can be taken back again."""
    run(house, UndoImport(import_id=load(house, *ROWS)))
    again = load(house, *ROWS, mode=mode, duplicates=duplicates)
    assert told(house, again) == (0, 2, 0, ())
    assert {entry.archived for entry in by_title(house).values()} == {False}
    _, result = run(house, UndoImport(import_id=again))
    assert (result.changed, result.skipped) == (2, 0)
    assert {entry.archived for entry in by_title(house).values()} == {True}
    mended = [row | {"problem": "mended"} for row in ROWS]
    third = load(house, *mended, mode=mode, duplicates=duplicates)
    assert told(house, third) == (1, 1, 0, ())  # without an id another text is another entry
    live = entries.list_page(ListEntries(), house.store).entries
    assert [entry.problem for entry in live] == ["mended", "mended"]


def test_what_a_replace_archived_is_back_with_its_row(house: House) -> None:
    """Its source has it again."""
    load(house, *ROWS)
    report = load(house, ROWS[1], finished=False, mode=ImportMode.REPLACE)
    finish = FinishImport(import_id=report, chunks=1, max_removed=100)
    assert imports.finish(finish, house.store).archived == 1
    assert told(house, load(house, *ROWS)) == (0, 1, 1, ())
    assert not by_title(house)["named"].archived


def test_what_someone_archived_stays_and_the_report_says_so(house: House) -> None:
    """Changed or not, with an id or without: an import does not overrule a person."""
    load(house, *ROWS)
    for entry in by_title(house).values():
        entries.archive(ChangeEntryState(id=entry.id), house.store)
    note = "Rows about entries that someone has archived, and that stay archived: 2."
    assert told(house, load(house, *ROWS)) == (0, 0, 2, (note,))
    changed = load(house, ROWS[0] | {"problem": "changed"}, ROWS[1])
    assert told(house, changed) == (0, 1, 1, (note,))
    assert {entry.archived for entry in by_title(house).values()} == {True}


def test_a_change_of_someone_between_two_imports_stays(house: House) -> None:
    """What one undo leaves alone, the next one does too; it names the one who changed it."""
    first = load(house, {"title": "first", "external_id": "1"})
    second = load(house, {"title": "second", "external_id": "1"})
    entry = by_title(house)["second"].id
    changes = EntryChanges(solution="by hand")
    entries.update(UpdateEntry(id=entry, changes=changes, by="eve"), house.store)
    for taken_back in (second, first):
        task, result = run(house, UndoImport(import_id=taken_back))
        assert (result.changed, result.skipped) == (0, 1)
        (skip,) = house.call(bulk.skips, GetSkips(task=task)).skips
        assert "by eve" in skip.message
    assert read(house, entry).solution == "by hand"


def test_an_open_import_that_is_taken_back_takes_no_more_chunks(house: House) -> None:
    """Its client is told, and who resumes it; its report names the task that took it back."""
    import_id = load(house, {"title": "first", "external_id": "1"}, finished=False)
    undo, _ = run(house, UndoImport(import_id=import_id))
    row = ImportRow(line=1, data={"title": "second", "external_id": "2"})
    chunk = ImportChunk(import_id=import_id, chunk=1, digest="e", rows=(row,))
    with pytest.raises(ImportUndone, match=str(undo)):
        imports.chunk(chunk, house.store)
    with pytest.raises(ImportUndone):
        house.call(tasks.resume, ResumeTask(id=import_id))
    with pytest.raises(ImportUndone):
        imports.finish(FinishImport(import_id=import_id, chunks=1), house.store)
    report = imports.report(GetImport(id=import_id), house.store)
    assert (report.status, report.undone_by, report.finished_at) == ("undone", undo, None)
    task = house.call(tasks.get, GetTask(id=import_id))
    assert (task.status, task.details["undone_by"]) == ("canceled", str(undo))


def test_a_finished_import_says_who_took_it_back(house: House) -> None:
    """Its report and its task do; there is nothing to resume."""
    import_id = load(house, {"title": "first", "external_id": "1"})
    undo, _ = run(house, UndoImport(import_id=import_id))
    report = imports.report(GetImport(id=import_id), house.store)
    assert (report.status, report.undone_by) == ("undone", undo)
    assert report.counts.created == 1
    task = house.call(tasks.get, GetTask(id=import_id))
    assert (task.status, task.details["undone_by"]) == ("succeeded", str(undo))
    with pytest.raises(ImportUndone):
        house.call(tasks.resume, ResumeTask(id=import_id))


def test_an_import_of_yesterday_stays(house: House) -> None:
    """After 24 hours it is history; one that never was is not found."""
    import_id = load(house, {"title": "first", "external_id": "1"})
    with house.store.transaction() as tx:
        tx.connection.execute("update imports set finished_at = finished_at - interval '25 hours'")
    ended = imports.report(GetImport(id=import_id), house.store).finished_at
    assert ended is not None
    said = re.escape(f"this one ended at {ended.isoformat(timespec='seconds')}")
    with pytest.raises(UndoTooLate, match=said):
        house.call(bulk.undo, UndoImport(import_id=import_id))
    with pytest.raises(ImportNotFound):
        house.call(bulk.count_undo, UndoImport(import_id=new_id()))
