"""Rows whose text another entry holds: skipped, refused or kept, as the import says."""

import threading
from typing import Any
from uuid import UUID

import pytest

from actors import entries, imports
from contracts.entries import CreateEntry, EntryFields
from contracts.imports import (
    CheckChunk,
    ChunkDone,
    Duplicates,
    FinishImport,
    GetImport,
    ImportMode,
    ImportRow,
    StartImport,
)
from tests.integration.actors.test_imports import chunk_of, counts
from tests.support.house import House


def begin(house: House, duplicates: Duplicates, source: str = "s", **fields: Any) -> UUID:
    """A new import's id."""
    command = StartImport(source=source, duplicates=duplicates, **fields)
    started: UUID = imports.start(command, house.store).id
    return started


def send(house: House, import_id: UUID, *rows: Any, number: int = 0) -> ChunkDone:
    """Import rows as one chunk."""
    return imports.chunk(chunk_of(import_id, list(rows), number), house.store)


def named(name: str, title: str, **fields: Any) -> dict[str, Any]:
    """A row with an id of its own."""
    return {"external_id": name, "title": title, **fields}


def ground(house: House) -> UUID:
    """An entry made by hand, which is returned, and one of another source."""
    send(house, begin(house, Duplicates.AUTO, "other"), named("1", "imported text"))
    by_hand = CreateEntry(entry=EntryFields(title="text by hand"))
    made: UUID = entries.create(by_hand, house.store).entry.id
    return made


ROWS = (
    named("a", "text by hand"),
    named("b", "imported text"),
    {"title": "text  by hand"},
    {"title": "imported text"},
    named("c", "a new text"),
    named("d", "a new text"),
    {"title": "a new text"},
    {"title": "text of its own"},
)


@pytest.mark.parametrize(
    ("duplicates", "expected"),
    [
        (Duplicates.AUTO, (8, 6, 0, 2, 0)),
        (Duplicates.SKIP, (8, 2, 0, 6, 0)),
        (Duplicates.REJECT, (8, 2, 0, 0, 6)),
        (Duplicates.KEEP, (8, 7, 0, 1, 0)),
    ],
)
def test_rows_whose_text_is_here(
    house: House, duplicates: Duplicates, expected: tuple[int, ...]
) -> None:
    """Counted as the import says, and a check says the same before."""
    made = ground(house)
    rows = tuple(ImportRow(line=n, data=row) for n, row in enumerate(ROWS, 1))
    checked = imports.check(CheckChunk(source="s", duplicates=duplicates, rows=rows), house.store)
    import_id = begin(house, duplicates)
    done = send(house, import_id, *ROWS)
    assert counts(done) == expected
    assert checked.counts == done.counts
    rejects = imports.report(GetImport(id=import_id), house.store).rejects
    assert {(one.line, one.code) for one in rejects} == (
        {(line, "DUPLICATE_ENTRY") for line in (1, 2, 3, 4, 6, 7)}
        if duplicates is Duplicates.REJECT
        else set()
    )
    if rejects:
        assert str(made) in rejects[0].message


@pytest.mark.parametrize("duplicates", [Duplicates.SKIP, Duplicates.REJECT])
def test_an_entry_s_own_text_is_no_duplicate(house: House, duplicates: Duplicates) -> None:
    """Sent again it is unchanged, and its other fields can be changed."""
    ground(house)
    send(house, begin(house, Duplicates.KEEP), named("a", "text by hand"))
    again = send(house, begin(house, duplicates), named("a", "text by hand"))
    assert counts(again) == (1, 0, 0, 1, 0)
    changed = send(house, begin(house, duplicates), named("a", "text by hand", tags="new"))
    assert counts(changed) == (1, 0, 1, 0, 0)


def test_chunks_at_once_see_each_other_s_texts(house: House) -> None:
    """Of one text in many chunks one row is stored."""
    import_id = begin(house, Duplicates.SKIP)
    done: list[ChunkDone] = []

    def one(number: int) -> None:
        rows = [named(f"{number}-{n}", f"text {n}") for n in range(100)]
        done.append(send(house, import_id, *rows, number=number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(each.counts.created for each in done) == 100
    assert sum(each.counts.unchanged for each in done) == 300


def test_a_replace_compares_with_other_sources_and_its_own_file(house: House) -> None:
    """A text that moves to another id of the source is no duplicate; one in the file twice is."""
    ground(house)
    send(house, begin(house, Duplicates.AUTO), named("old", "it moves"), named("a", "before"))
    import_id = begin(house, Duplicates.SKIP, mode=ImportMode.REPLACE)
    send(house, import_id, named("new", "it moves"), named("x", "text by hand"))
    send(house, import_id, named("twice", "it moves"), named("a", "imported text"), number=1)
    finish = FinishImport(import_id=import_id, chunks=2, max_removed=100)
    report = imports.finish(finish, house.store)
    assert (report.counts.created, report.counts.unchanged, report.archived) == (1, 3, 1)
    live = house.rows(
        "select external_id, title from entries"
        " where source = 's' and archived_at is null order by 1"
    )
    assert [(row["external_id"], row["title"]) for row in live] == [
        ("a", "before"),
        ("new", "it moves"),
    ]
