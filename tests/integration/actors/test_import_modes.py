"""What an import does with rows that are here: create, replace, and a dry run."""

import logging
from typing import Any
from uuid import UUID

import pytest

from actors import bulk, entries, imports, tasks, upkeep
from actors.upkeep import Retention
from contracts.base import Nothing
from contracts.bulk import EntriesChanged, UndoImport
from contracts.entries import ChangeEntryState, Entry, EntryChanges, ListEntries, UpdateEntry
from contracts.errors import (
    ChunkChanged,
    ImportCanceled,
    ImportFinished,
    ImportUndone,
    ReplaceTooMuch,
)
from contracts.imports import (
    CheckChunk,
    ChunkDone,
    FinishImport,
    GetImport,
    ImportChunk,
    ImportCounts,
    ImportMode,
    ImportReport,
    ImportRow,
    Reject,
    StartImport,
    StopImport,
)
from contracts.tasks import CancelTask, GetTask, ResumeTask, TaskError
from tests.integration.actors.test_imports import chunk_of, counts
from tests.support.copies import dump
from tests.support.house import House

Data = dict[str, Any]

SOURCE = "wiki"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What is refused here is meant to be."""
    caplog.set_level(logging.CRITICAL)


def row(name: str, text: str = "as it was", **fields: Any) -> Data:
    """A row about the entry of this external id."""
    return {"external_id": name, "title": f"title {name}", "solution": text, **fields}


def begin(house: House, mode: ImportMode = ImportMode.REPLACE, **fields: Any) -> UUID:
    """A new import's id."""
    started: UUID = imports.start(StartImport(source=SOURCE, mode=mode, **fields), house.store).id
    return started


def send(house: House, import_id: UUID, *rows: Data, number: int = 0) -> ChunkDone:
    """Import rows as one chunk."""
    return imports.chunk(chunk_of(import_id, list(rows), number), house.store)


def finish(house: House, import_id: UUID, chunks: int = 1, **fields: Any) -> ImportReport:
    """Close it."""
    return imports.finish(FinishImport(import_id=import_id, chunks=chunks, **fields), house.store)


def load(house: House, *rows: Data, mode: ImportMode = ImportMode.UPSERT, **fields: Any) -> Any:
    """Import rows from start to end; the report."""
    import_id = begin(house, mode)
    send(house, import_id, *rows)
    return finish(house, import_id, **fields)


def state(house: House, source: str = SOURCE) -> dict[str, tuple[str, int, bool]]:
    """Of every entry of the source: its solution, version, and whether it is archived."""
    found = house.rows(
        "select coalesce(external_id, title) as name, solution, version,"
        " archived_at is not null as archived from entries where source = %s",
        source,
    )
    return {one["name"]: (one["solution"], one["version"], one["archived"]) for one in found}


def entry(house: House, title: str) -> Entry:
    """The entry of this title, also if it is archived."""
    page = entries.list_page(ListEntries(limit=500, archived=None), house.store)
    return next(one for one in page.entries if one.title == title)


def tally(report: ImportReport) -> tuple[int, int, int, int, int, int]:
    """The counts, which must add up, and the archived entries."""
    return *counts(ChunkDone(counts=report.counts)), report.archived


def undo(house: House, import_id: UUID) -> EntriesChanged:
    """Take the import back."""
    started = house.call(bulk.undo, UndoImport(import_id=import_id))
    with house.running("upkeep"):
        house.until("select 1 from tasks where id = %s and status = 'succeeded'", started.task)
    return EntriesChanged(**house.call(tasks.get, GetTask(id=started.task)).result)


def test_create_changes_nothing_that_is_here(house: House) -> None:
    """Other content of a known id is a reject that names the entry; the same is unchanged."""
    load(house, row("a"), row("b"))
    report = load(
        house, row("a"), row("b", "other"), row("c"), {"title": "new"}, mode=ImportMode.CREATE
    )
    assert tally(report) == (4, 2, 0, 1, 1, 0)
    (refused,) = report.rejects
    assert (refused.line, refused.code, refused.field) == (2, "ENTRY_EXISTS", "external_id")
    assert str(entry(house, "title b").id) in refused.message
    assert state(house)["b"] == ("as it was", 1, False)


def test_create_takes_the_first_of_two_rows_with_one_id(house: House) -> None:
    """The second would change it."""
    report = load(house, row("a"), row("a", "other"), row("a"), mode=ImportMode.CREATE)
    assert tally(report) == (3, 1, 0, 1, 1, 0)
    assert state(house) == {"a": ("as it was", 1, False)}


def test_a_replace_makes_the_source_what_the_file_is(house: House) -> None:
    """Changed, created, archived and brought back; another source is left alone."""
    rows = [row(name) for name in "abcdefgh"]
    load(house, *rows, {"title": "text that stays"}, {"title": "text that goes"})
    entries.archive(ChangeEntryState(id=entry(house, "title c").id), house.store)
    other = imports.start(StartImport(source="other"), house.store).id
    send(house, other, row("z"))
    import_id = begin(house)
    before = state(house)
    first = [row("a"), row("b", "changed"), row("c"), {"title": "text that stays"}]
    assert counts(send(house, import_id, *first)) == (4, 0, 0, 4, 0)
    send(house, import_id, *(row(name) for name in "defg"), row("new"), number=1)
    assert state(house) == before, "nothing takes effect before the end"
    report = finish(house, import_id, 2, max_removed=25)
    assert tally(report) == (9, 1, 2, 6, 0, 2)
    assert (report.mode, report.chunks, report.status) == ("replace", 2, "finished")
    assert state(house) == {
        "a": ("as it was", 1, False),
        "b": ("changed", 2, False),
        "c": ("as it was", 3, False),
        **dict.fromkeys("defg", ("as it was", 1, False)),
        "h": ("as it was", 2, True),
        "new": ("as it was", 1, False),
        "text that stays": ("", 1, False),
        "text that goes": ("", 2, True),
    }
    assert state(house, "other") == {"z": ("as it was", 1, False)}
    fed = house.rows(
        "select count(*) as n from changes where txid::text = "
        "(select txid::text from import_chunks where chunk = -1)"
    )
    assert fed == [{"n": 5}]
    assert finish(house, import_id, 2) == report
    assert house.rows("select 1 from import_staged") == []


def test_of_rows_in_different_chunks_the_last_counts(house: House) -> None:
    """Also where the last one says that nothing changes."""
    load(house, row("a"), row("b"))
    import_id = begin(house)
    send(house, import_id, row("a", "last"), row("b"), number=1)
    send(house, import_id, row("a", "first"), row("b", "first"), {"title": "both"})
    send(house, import_id, {"title": "both"}, number=2)
    assert tally(finish(house, import_id, 3)) == (6, 1, 1, 4, 0, 0)
    assert state(house) == {
        "a": ("last", 2, False),
        "b": ("as it was", 1, False),
        "both": ("", 1, False),
    }


def test_an_entry_whose_row_is_rejected_stays(house: House) -> None:
    """The file has it; that the row can't be read is no reason to archive it."""
    load(house, row("1"), row("2"))
    report = load(house, row("1"), row("2", title="x"), mode=ImportMode.REPLACE)
    assert tally(report) == (2, 0, 0, 1, 1, 0)
    assert state(house) == dict.fromkeys("12", ("as it was", 1, False))


def test_an_entry_whose_row_the_client_rejects_stays(house: House) -> None:
    """It tells the name, if that could be read; blanks around one may be what is wrong with it."""
    load(house, *(row(name) for name in "1234"))
    import_id = begin(house)
    rows = [row("1"), row(" 3 ", title="x")]
    rejects = (Reject(line=2, code="MAPPED_NOT_TEXT", message="problem is an object"),)
    chunk = chunk_of(import_id, rows, rejects=rejects, named=("2",))
    imports.chunk(chunk, house.store)
    report = finish(house, import_id, max_removed=25)
    assert tally(report) == (3, 0, 0, 1, 2, 1)
    assert {name for name, (_, _, archived) in state(house).items() if not archived} == set("123")
    assert report.notes == ()


@pytest.mark.parametrize(
    ("rows", "rejects"),
    [
        ([row("b", "changed")], (Reject(line=2, code="JSON_UNREADABLE", message="cut"),)),
        ([row("b", "changed"), {"title": "x"}], ()),
    ],
)
def test_while_a_rejected_row_names_no_entry_none_is_archived(
    house: House, rows: list[Data], rejects: tuple[Reject, ...]
) -> None:
    """It may be about any of those without a row. The others take effect; the report says so."""
    load(house, *(row(name) for name in "abcde"))
    import_id = begin(house)
    found = tuple(ImportRow(line=n, data=data) for n, data in enumerate(rows, 1))
    check = CheckChunk(source=SOURCE, mode=ImportMode.REPLACE, rows=found, rejects=rejects)
    assert imports.check(check, house.store).unsure
    imports.chunk(chunk_of(import_id, rows, rejects=rejects), house.store)
    report = finish(house, import_id)
    assert tally(report) == (2, 0, 1, 0, 1, 0)
    (note,) = report.notes
    assert "none was archived of the 4" in note
    now = state(house)
    assert now.pop("b") == ("changed", 2, False)
    assert set(now.values()) == {("as it was", 1, False)}


def test_an_import_that_stops_says_why_until_it_goes_on(house: House) -> None:
    """Its task has failed; said again it changes nothing that goes on since."""
    import_id = begin(house, ImportMode.UPSERT)
    send(house, import_id, row("a"))
    why = TaskError(code="TOO_MANY_REJECTS", message="7 of 9 rows were rejected.")
    said = StopImport(import_id=import_id, error=why)
    house.call(imports.stop, said)
    task = house.call(tasks.get, GetTask(id=import_id))
    assert (task.status, task.error, task.done) == ("failed", why, 1)
    report = imports.report(GetImport(id=import_id), house.store)
    assert (report.status, report.error) == ("open", why)
    house.call(tasks.resume, ResumeTask(id=import_id))
    house.call(imports.stop, said)
    task = house.call(tasks.get, GetTask(id=import_id))
    assert (task.status, task.error) == ("processing", None)
    assert finish(house, import_id).error is None
    assert house.call(tasks.get, GetTask(id=import_id)).status == "succeeded"


def test_a_replace_that_archives_too_much_is_refused_and_can_go_on(house: House) -> None:
    """Nothing is changed, the numbers are said, and the same import ends when it is told to."""
    load(house, *(row(name) for name in "abcde"))
    import_id = begin(house)
    send(house, import_id, row("a", "changed"), row("b"), row("c"))
    before = dump(house)["entries"]
    with pytest.raises(ReplaceTooMuch) as refused:
        finish(house, import_id)
    assert refused.value.details | {"max_removed": 0} == {
        "live": 5, "missing": 2, "percent": 40.0, "max_removed": 0
    }  # fmt: skip
    assert dump(house)["entries"] == before
    assert imports.report(GetImport(id=import_id), house.store).status == "open"
    with pytest.raises(ReplaceTooMuch):
        finish(house, import_id, max_removed=39.9)
    assert tally(finish(house, import_id, max_removed=40)) == (3, 0, 1, 2, 0, 2)


@pytest.mark.parametrize("mode", [ImportMode.UPSERT, ImportMode.REPLACE])
def test_an_import_of_fewer_chunks_than_are_stored_does_not_end(
    house: House, mode: ImportMode
) -> None:
    """What it goes on with is not what it was begun with: nothing is taken for gone."""
    load(house, *(row(name) for name in "abcdef"))
    import_id = begin(house, mode)
    send(house, import_id, row("a", "changed"))
    send(house, import_id, *(row(name, "changed") for name in "bcde"), number=2)
    before = state(house)
    for chunks in (0, 1, 2):
        with pytest.raises(ChunkChanged) as refused:
            finish(house, import_id, max_removed=100, chunks=chunks)
        assert refused.value.details == {"chunks": chunks, "stored": 2}
    assert state(house) == before
    send(house, import_id, row("f", "changed"), number=1)
    report = finish(house, import_id, chunks=3)
    assert (report.status, report.archived, report.counts.received) == ("finished", 0, 6)
    with pytest.raises(ChunkChanged):
        finish(house, import_id, chunks=1)


def test_a_canceled_replace_changes_nothing_until_it_is_resumed(house: House) -> None:
    """Its stage waits for it."""
    load(house, *(row(name) for name in "abcdef"))
    before = state(house)
    import_id = begin(house)
    send(house, import_id, *(row(name, "changed") for name in "abcde"))
    house.call(tasks.cancel, CancelTask(id=import_id))
    with pytest.raises(ImportCanceled):
        finish(house, import_id)
    assert state(house) == before
    house.call(tasks.resume, ResumeTask(id=import_id))
    assert tally(finish(house, import_id)) == (5, 0, 5, 0, 0, 1)


def test_a_forgotten_stage_goes_and_its_chunks_are_staged_again(house: House) -> None:
    """Resumed after that, the replace must not take an empty stage for an empty file."""
    load(house, row("a"))
    import_id = begin(house)
    send(house, import_id, row("a", "changed"))
    retention = Retention(days=90, letters=1000)
    upkeep.prune(Nothing(), house.store, retention)
    assert len(house.rows("select 1 from import_staged")) == 1
    with house.store.transaction() as tx:
        tx.connection.execute("update imports set started_at = now() - interval '8 days'")
    upkeep.prune(Nothing(), house.store, retention)
    assert house.rows("select 1 from import_staged") == []
    with pytest.raises(ImportFinished):
        finish(house, import_id, max_removed=100)
    send(house, import_id, row("a", "changed"))
    assert tally(finish(house, import_id)) == (1, 0, 1, 0, 0, 0)


def test_a_replace_is_taken_back(house: House) -> None:
    """What it archived is back, what it brought back is archived, what it changed is as before."""
    load(house, *(row(name) for name in "abcdef"))
    for name in "bf":
        entries.archive(ChangeEntryState(id=entry(house, f"title {name}").id), house.store)
    import_id = begin(house)
    send(house, import_id, row("a", "changed"), row("b", "changed"), row("f"), row("new"))
    finish(house, import_id, max_removed=100)
    touched = entry(house, "title e")
    entries.restore(ChangeEntryState(id=touched.id), house.store)
    now = state(house)
    assert {name: now[name][2] for name in "abcdef"} == {
        "a": False,
        "b": False,
        "c": True,
        "d": True,
        "e": False,
        "f": False,
    }
    result = undo(house, import_id)
    assert (result.changed, result.skipped) == (6, 1)
    now = state(house)
    assert {name: (now[name][0], now[name][2]) for name in now} == {
        "a": ("as it was", False),
        "b": ("as it was", True),
        "c": ("as it was", False),
        "d": ("as it was", False),
        "e": ("as it was", False),
        "f": ("as it was", True),
        "new": ("as it was", True),
    }


def test_a_replace_that_was_taken_back_while_open_never_switches(house: House) -> None:
    """Its client is told."""
    load(house, row("a"))
    import_id = begin(house)
    send(house, import_id, row("a", "changed"))
    undo(house, import_id)
    with pytest.raises(ImportUndone):
        house.call(tasks.resume, ResumeTask(id=import_id))
    with pytest.raises(ImportUndone):
        finish(house, import_id)
    assert state(house) == {"a": ("as it was", 1, False)}


def test_what_someone_changed_during_a_replace_is_replaced_and_kept(house: House) -> None:
    """The file's row counts; the state between is a version."""
    load(house, row("a"))
    import_id = begin(house)
    send(house, import_id, row("a", "of the file"))
    changes = EntryChanges(solution="by hand")
    target = entry(house, "title a").id
    entries.update(UpdateEntry(id=target, changes=changes), house.store)
    finish(house, import_id)
    assert state(house) == {"a": ("of the file", 3, False)}
    kept = house.rows("select version, solution from entry_versions order by version")
    assert [one["solution"] for one in kept] == ["as it was", "by hand"]


def test_a_replace_needs_a_source() -> None:
    """Entries made by hand have none, and would all be archived."""
    with pytest.raises(ValueError):
        StartImport(mode=ImportMode.REPLACE)


@pytest.mark.parametrize("mode", list(ImportMode))
def test_a_check_counts_what_an_import_would_do(house: House, mode: ImportMode) -> None:
    """And writes nothing at all."""
    load(house, row("a"), row("b"), row("c"), {"title": "known text"})
    rows = [
        row("a"),
        row("b", "changed", category="Unheard of"),
        row("n"),
        {"title": "known text"},
        {"title": "new text"},
        {"external_id": "x", "title": "x"},
    ]
    found = tuple(ImportRow(line=n, data=data) for n, data in enumerate(rows, 1))
    before = dump(house)
    checked = imports.check(CheckChunk(source=SOURCE, mode=mode, rows=found), house.store)
    assert dump(house) == before
    import_id = begin(house, mode)
    imports.chunk(ImportChunk(import_id=import_id, chunk=0, digest="d", rows=found), house.store)
    report = finish(house, import_id, max_removed=100)
    assert checked.counts == report.counts != ImportCounts()
    assert set(checked.rejects) == set(report.rejects)
    replaces = mode is ImportMode.REPLACE
    assert (checked.live, checked.named) == ((4, 3) if replaces else (0, 0))
    assert report.archived == (1 if replaces else 0)
