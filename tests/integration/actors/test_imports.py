"""Imports on a real PostgreSQL: every row is counted, every chunk is done once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from actors import entries, imports
from contracts.base import new_id
from contracts.entries import CreateEntry, EntryFields, GetEntry, ListEntries
from contracts.errors import ChunkChanged, DatabaseBusy, ImportFinished, ImportNotFound
from contracts.imports import (
    CheckChunk,
    ChunkDone,
    FinishImport,
    GetImport,
    ImportChunk,
    ImportRow,
    ImportStatus,
    ListImports,
    OnLong,
    Reject,
    StartImport,
)
from storage.postgres.store import Store
from tests.support.house import House


def start(store: Store, source: str = "tests") -> Any:
    """An open import's id."""
    return imports.start(StartImport(source=source), store).id


def chunk_of(import_id: Any, rows: list[dict[str, Any]], number: int = 0, **fields: Any) -> Any:
    """A chunk with these rows."""
    return ImportChunk(
        import_id=import_id,
        chunk=number,
        digest=fields.pop("digest", "d"),
        rows=tuple(ImportRow(line=n, data=row) for n, row in enumerate(rows, 1)),
        **fields,
    )


def counts(done: ChunkDone) -> tuple[int, int, int, int, int]:
    """Received, created, updated, unchanged, rejected; which must add up."""
    c = done.counts
    assert c.received == c.created + c.updated + c.unchanged + c.rejected
    return c.received, c.created, c.updated, c.unchanged, c.rejected


def titles(store: Store) -> set[str]:
    """The titles of all live entries."""
    return {e.title for e in entries.list_page(ListEntries(limit=500), store).entries}


def test_rejects_stand_in_the_order_of_their_source(store: Store) -> None:
    """Those of the client among ours, file by file; when the chunk comes again, too."""
    import_id = start(store)
    rows = [
        ImportRow(file=file, line=line, data={}) for file, line in (("b", 7), ("c", 1), ("c", 3))
    ]
    theirs = [
        Reject(file=file, line=line, code="JSON_UNREADABLE", message="no")
        for file, line in (("a", 9), ("b", 8), ("c", 2), ("d", 1))
    ]
    places = [("a", 9), ("b", 7), ("b", 8), ("c", 1), ("c", 2), ("c", 3), ("d", 1)]
    checked = imports.check(CheckChunk(rows=tuple(rows), rejects=tuple(theirs)), store)
    assert [(one.file, one.line) for one in checked.rejects] == places
    chunk = ImportChunk(
        import_id=import_id, chunk=0, digest="d", rows=tuple(rows), rejects=tuple(theirs)
    )
    for _ in range(2):
        done = imports.chunk(chunk, store)
        assert [(one.file, one.line) for one in done.rejects] == places
    report = imports.report(GetImport(id=import_id), store)
    assert [(one.file, one.line) for one in report.rejects] == places


def test_good_rows_are_stored_and_bad_ones_recorded(store: Store) -> None:
    """One bad row does not fail its neighbours; it is kept with line, field and reason."""
    import_id = start(store)
    rows: list[dict[str, Any]] = [
        {"title": "good one", "external_id": "1"},
        {"title": "no"},
        {"title": "good two", "external_id": 2, "tags": "a, b", "severity": "HIGH"},
        {"problem": "no title"},
        {"title": "unknown field", "colour": "red"},
        {"title": "wrong type", "tags": {"a": 1}},
        {"title": "nul \0 here"},
        {"title": "x" * 256},
    ]
    reject = Reject(line=9, code="JSON_UNREADABLE", message="unexpected end")
    done = imports.chunk(chunk_of(import_id, rows, rejects=(reject,)), store)
    assert counts(done) == (9, 2, 0, 0, 7)
    assert titles(store) == {"good one", "good two"}
    report = imports.report(GetImport(id=import_id), store)
    assert {(r.line, r.field, r.code) for r in report.rejects} == {
        (2, "title", "STRING_TOO_SHORT"),
        (4, "title", "MISSING"),
        (5, "colour", "EXTRA_FORBIDDEN"),
        (6, "tags", "TUPLE_TYPE"),
        (7, "title", "VALUE_ERROR"),
        (8, "title", "STRING_TOO_LONG"),
        (9, "", "JSON_UNREADABLE"),
    }


def test_a_chunk_that_comes_twice_changes_nothing(store: Store) -> None:
    """The second delivery answers as the first and writes no row."""
    chunk = chunk_of(start(store), [{"title": "once", "external_id": "1"}, {"title": "x"}])
    assert imports.chunk(chunk, store) == imports.chunk(chunk, store)
    assert imports.report(GetImport(id=chunk.import_id), store).counts.received == 2


def test_a_chunk_delivered_to_many_at_once_is_done_once(store: Store) -> None:
    """Four workers with the same chunk: one stores it, all answer alike."""
    chunk = chunk_of(start(store), [{"title": f"row {n}", "external_id": n} for n in range(50)])
    answers: list[ChunkDone] = []
    threads = [
        threading.Thread(target=lambda: answers.append(imports.chunk(chunk, store)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [counts(answer) for answer in answers] == [(50, 50, 0, 0, 0)] * 4
    assert len(titles(store)) == 50


def test_files_beyond_those_that_are_named_are_counted(store: Store) -> None:
    """In the report and in lists."""
    import_id = imports.start(StartImport(files=("a", "b"), file_count=1200), store).id
    assert imports.report(GetImport(id=import_id), store).file_count == 1200
    (listed,) = imports.list_page(ListImports(), store).imports
    assert (listed.files, listed.file_count) == (("a",), 1200)
    import_id = imports.start(StartImport(files=("a", "b")), store).id
    assert imports.report(GetImport(id=import_id), store).file_count == 2
    with store.transaction() as tx:
        tx.connection.execute("delete from tasks where id = %s", (import_id,))
    assert imports.report(GetImport(id=import_id), store).file_count == 2


def test_a_changed_file_is_noticed(store: Store) -> None:
    """The same chunk number with other content is refused."""
    import_id = start(store)
    imports.chunk(chunk_of(import_id, [{"title": "first"}]), store)
    with pytest.raises(ChunkChanged):
        imports.chunk(chunk_of(import_id, [{"title": "second"}], digest="other"), store)
    assert titles(store) == {"first"}


def test_rows_with_an_id_of_their_own_are_upserted(store: Store) -> None:
    """Seen again: the same is unchanged, another is an update that keeps the state before."""
    rows = [{"title": f"row {n}", "external_id": str(n)} for n in range(3)]
    imports.chunk(chunk_of(start(store), rows), store)
    rows[1] = {"title": "row 1 changed", "external_id": "1"}
    done = imports.chunk(chunk_of(start(store), rows), store)
    assert counts(done) == (3, 0, 1, 2, 0)
    changed = next(
        e for e in entries.list_page(ListEntries(), store).entries if e.title == "row 1 changed"
    )
    states = entries.versions(GetEntry(id=changed.id), store).versions
    assert [state.title for state in states] == ["row 1 changed", "row 1"]


def test_ids_are_unique_within_their_source_only(store: Store) -> None:
    """Two sources may use one id, and rightly hold the same text."""
    row = {"title": "same text", "external_id": "1"}
    one = imports.chunk(chunk_of(start(store, "here"), [row]), store)
    two = imports.chunk(chunk_of(start(store, "there"), [row]), store)
    assert counts(one) == counts(two) == (1, 1, 0, 0, 0)


def test_the_last_of_equal_ids_counts(store: Store) -> None:
    """Rows of one chunk that share an id don't fail it: the last one is kept."""
    rows = [{"title": f"take {n}", "external_id": "1"} for n in range(5)]
    done = imports.chunk(chunk_of(start(store), rows), store)
    assert counts(done) == (5, 1, 0, 4, 0)
    assert titles(store) == {"take 4"}


def test_rows_without_an_id_are_stored_once_by_text(store: Store) -> None:
    """Without an id the text decides: what is already here is unchanged."""
    entries.create(CreateEntry(entry=EntryFields(title="by hand")), store)
    rows = [{"title": "by hand"}, {"title": "new"}, {"title": "new"}]
    assert counts(imports.chunk(chunk_of(start(store), rows), store)) == (3, 1, 0, 2, 0)
    assert titles(store) == {"by hand", "new"}


def test_long_rows_fit_when_asked_to(store: Store) -> None:
    """With on_long=truncate a long title opens the problem, and long bodies are cut."""
    title = "word " * 900
    rows = [{"title": title, "problem": "p" * 1_000_000, "tags": ["t" * 300] * 100}]
    assert counts(imports.chunk(chunk_of(start(store), rows), store))[4] == 1
    chunk = chunk_of(start(store), rows, on_long=OnLong.TRUNCATE)
    assert counts(imports.chunk(chunk, store))[1] == 1
    (entry,) = entries.list_page(ListEntries(), store).entries
    assert len(entry.title) <= 255
    whole = f"{entry.title} {entry.problem}"
    assert whole.startswith(title.strip()[:4000])
    assert len(entry.problem) == 100_000


def test_imports_in_opposite_order_do_not_deadlock(store: Store) -> None:
    """Two producers that update the same rows in opposite order both finish."""
    rows = [{"title": f"row {n}", "external_id": str(n)} for n in range(200)]
    imports.chunk(chunk_of(start(store), rows), store)
    outcomes: list[int] = []

    def update(word: str, order: int) -> None:
        changed = [row | {"problem": word} for row in rows][::order]
        outcomes.append(counts(imports.chunk(chunk_of(start(store), changed), store))[2])

    threads = [
        threading.Thread(target=update, args=(f"word {n}", 1 if n % 2 else -1)) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == [200] * 6


def test_a_row_that_another_import_stores_meanwhile_is_looked_up_again(
    house: House, database_url: str
) -> None:
    """Both took it for new: the later one is busy, then an update that keeps the state before."""
    store = house.store
    later = chunk_of(start(store), [{"title": "of the later one", "external_id": "1"}])
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(database_url) as first:
            first.execute(
                "insert into entries (id, source, external_id, title, problem, solution, category,"
                " severity, tags, custom, digest, text_digest, created_by, updated_by)"
                " values (gen_random_uuid(), 'tests', '1', 'of the first one', '', '', 'Other',"
                " 'medium', '{}', '{}', gen_random_uuid(), gen_random_uuid(), '', '')"
            )
            waiting = pool.submit(imports.chunk, later, store)
            house.until("select 1 from pg_stat_activity where wait_event_type = 'Lock'")
        with pytest.raises(DatabaseBusy):
            waiting.result(30)
    assert counts(imports.chunk(later, store)) == (1, 0, 1, 0, 0)
    (entry,) = entries.list_page(ListEntries(), store).entries
    states = entries.versions(GetEntry(id=entry.id), store).versions
    assert [state.title for state in states] == ["of the later one", "of the first one"]


def test_what_is_copied_is_read_back_as_it_was_written(store: Store) -> None:
    """Tabs, line ends, backslashes, quotes, tags and custom fields of a new row."""
    row = {
        "title": 'a "title"\t\\N',
        "problem": "one\r\n\\.\ntwo \u00e9\U0001f600",
        "tags": ['a,"b"', "{c}", "d\\e"],
        "custom": {"codes": ["S0C7"], "deep": {"n": 1.5, "none": None}},
        "external_id": "1",
    }
    imports.chunk(chunk_of(start(store), [row]), store)
    (entry,) = entries.list_page(ListEntries(), store).entries
    found = entry.model_dump(mode="json")
    assert {name: found[name] for name in row if name in found} | {"external_id": "1"} == row


def test_finishing_needs_every_chunk(store: Store) -> None:
    """An import with a hole can't be finished; with all its chunks it can, twice."""
    import_id = start(store)
    imports.chunk(chunk_of(import_id, [{"title": "first"}], 0), store)
    imports.chunk(chunk_of(import_id, [{"title": "third"}], 2), store)
    with pytest.raises(ImportFinished):
        imports.finish(FinishImport(import_id=import_id, chunks=3), store)
    imports.chunk(chunk_of(import_id, [{"title": "second"}], 1), store)
    report = imports.finish(FinishImport(import_id=import_id, chunks=3), store)
    assert report.status == "finished"
    assert report == imports.finish(FinishImport(import_id=import_id, chunks=3), store)
    with pytest.raises(ImportFinished):
        imports.chunk(chunk_of(import_id, [{"title": "late"}], 3), store)
    assert "late" not in titles(store)


def test_an_unknown_import_is_not_found(store: Store) -> None:
    """Chunks and reports of an import that nobody opened are refused."""
    with pytest.raises(ImportNotFound):
        imports.chunk(chunk_of(new_id(), [{"title": "lost"}]), store)
    with pytest.raises(ImportNotFound):
        imports.report(GetImport(id=new_id()), store)


def test_imports_are_listed_page_by_page(store: Store) -> None:
    """The newest first, narrowed by source and status, each with its own counts."""
    ids = [start(store, source) for source in ("one", "two", "one")]
    rows: list[dict[str, Any]] = [{"title": "a listed row", "external_id": "1"}, {"title": "no"}]
    imports.chunk(chunk_of(ids[0], rows), store)
    imports.finish(FinishImport(import_id=ids[0], chunks=1), store)
    first = imports.list_page(ListImports(limit=2), store)
    assert [one.id for one in first.imports] == [ids[2], ids[1]]
    last = imports.list_page(ListImports(limit=2, cursor=first.next_cursor), store)
    assert ([one.id for one in last.imports], last.next_cursor) == ([ids[0]], None)
    assert last.imports[0] == imports.report(GetImport(id=ids[0], limit=0), store)
    c = last.imports[0].counts
    assert (c.received, c.created, c.rejected) == (2, 1, 1)
    narrowed = imports.list_page(ListImports(source="one", status=ImportStatus.OPEN), store)
    assert [(one.id, one.status) for one in narrowed.imports] == [(ids[2], "open")]
