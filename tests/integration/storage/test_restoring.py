"""A backup is one moment of the database, and its restore all of it or nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from psycopg.rows import dict_row

from actors import bulk, entries, imports
from contracts.backup import BackupTable, Manifest
from contracts.bulk import UndoImport
from contracts.entries import CreateEntry, EntryChanges, EntryFields, UpdateEntry
from contracts.errors import BackupOfLaterRelease, LiveData
from contracts.imports import FinishImport, ImportChunk, ImportRow, StartImport
from contracts.search import SearchQuery
from deploy import archive
from deploy.archive import Archive
from storage.index.follower import Follower
from storage.index.searcher import IndexReader
from storage.postgres import snapshot as snapshots
from storage.postgres.migrations import add_presets, alone, apply, known, migrate
from storage.postgres.restoring import restore
from storage.postgres.snapshot import snapshot
from storage.postgres.statements import statement
from storage.postgres.store import Store
from tests.conftest import NUMBERS

MakeDatabase = Callable[[], str]
#: Restored under other numbers, since those are a cluster's own.
RENUMBERED = {"txid", "restores", "pruned_txid", "pruned_seq"}


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """A store on this database."""
    store = Store(url)
    store.open()
    try:
        yield store
    finally:
        store.close()


def save(url: str, folder: Path) -> Path:
    """A backup of this database."""
    file = folder / f"{next(NUMBERS)}.backup"
    with snapshot(url) as moment:
        archive.write(file, moment, lambda name, rows: None)
    return file


def put(file: Path, url: str, *, replace: bool = False) -> Manifest:
    """Restore it there."""
    with Archive(file) as found:
        restore(url, found, replace=replace, by="test")
        return found.manifest


def add(store: Store, title: str) -> UUID:
    """A new entry's id."""
    return entries.create(CreateEntry(entry=EntryFields(title=title)), store).entry.id


def load(store: Store, *titles: str) -> UUID:
    """An import of one chunk a row; its id."""
    started = imports.start(StartImport(source="wiki"), store).id
    for number, title in enumerate(titles):
        row = ImportRow(line=number + 1, data={"title": title, "external_id": title})
        chunk = ImportChunk(import_id=started, chunk=number, digest="d", rows=(row,))
        imports.chunk(chunk, store)
    imports.finish(FinishImport(import_id=started, chunks=len(titles)), store)
    return started


def rows(url: str, query: str) -> list[dict[str, Any]]:
    """What a query of the test's own finds."""
    with psycopg.connect(url, row_factory=dict_row) as session:
        return session.execute(query.encode()).fetchall()


def contents(url: str) -> dict[str, list[str]]:
    """Every row of every table of ours, without the numbers that are a cluster's own."""
    with alone(url) as session:
        tables = snapshots.tables(session)
    return {
        table.name: sorted(
            str({name: value for name, value in row.items() if name not in RENUMBERED})
            for row in rows(url, f"select * from {table.name}")
        )
        for table in tables
    }


def titles(reader: IndexReader, text: str) -> set[str]:
    """What a search finds."""
    return {hit["title"] for hit in orjson.loads(reader.search(SearchQuery(q=text)))["hits"]}


def test_no_table_is_left_out(database_url: str) -> None:
    """What the migrations make is what a backup holds; a new kind of thing would be noticed."""
    here = rows(
        database_url,
        "select c.relname as tablename from pg_class as c where c.relkind in ('r', 'p')"
        " and c.relnamespace = 'public'::regnamespace and not c.relispartition",
    )
    assert set(snapshots.names()) == {row["tablename"] for row in here}
    others = rows(
        database_url,
        "select relname::text as name from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind not in ('r', 'p', 'i', 'I', 't') and not exists (select from pg_depend"
        " where objid = oid and deptype in ('a', 'i'))"
        " union select proname from pg_proc where pronamespace = 'public'::regnamespace",
    )
    with alone(database_url) as session:
        assert {row["name"] for row in others} == set(snapshots.other_names())
        for kind in ("view", "sequence", "function"):
            assert snapshots.things(session, kind)


def test_every_number_of_a_transaction_is_known(database_url: str) -> None:
    """Such a number means something in one cluster only: a restore has to renumber it."""
    found = rows(
        database_url,
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'public' and udt_name in ('xid', 'xid8')",
    )
    assert {(row["table_name"], row["column_name"]) for row in found} == {
        ("changes", "txid"),
        ("import_chunks", "txid"),
        ("epoch", "pruned_txid"),
        # These stand beside an epoch, and count for nothing in another one.
        ("feed_counted", "txid"),
        ("saved_place", "txid"),
        ("saved_searches", "txid"),
    }


def test_all_rows_are_there_and_the_feed_goes_on(
    store: Store, new_database: MakeDatabase, tmp_path: Path
) -> None:
    """From a cluster far ahead: nothing lies in the future, imports can still be taken back."""
    add(store, "alpha by hand")
    imported = load(store, "alpha one", "alpha two", "alpha three")
    with store.transaction() as tx:
        tx.connection.execute("select make_event_month(now()), nextval('event_batch')")
        tx.connection.execute(
            "insert into events (id, kind, at, batch) values (uuid_at(now()), 'click', now(), 1)"
        )
    for table in ("changes", "import_chunks"):
        with store.transaction() as tx:
            ahead = "(txid::text::numeric + 1000000000)::text::xid8"
            tx.connection.execute(f"update {table} set txid = {ahead}".encode())
    url = new_database()
    manifest = put(save(store.url, tmp_path), url)
    before, after = contents(store.url), contents(url)
    assert len(after.pop("audit")) == len(before.pop("audit")) + 1
    assert after == before
    assert manifest.rows == sum(map(len, before.values()))
    assert rows(url, "select nextval('event_batch') as next") == [{"next": 2}]
    with opened(url) as restored:
        follower = Follower(tmp_path / "index", restored)
        try:
            follower.step()
            add(restored, "alpha later")
            assert follower.step().applied == 1
        finally:
            follower.close()
        assert titles(IndexReader(tmp_path / "index"), "alpha") == {
            *("alpha by hand", "alpha one", "alpha two", "alpha three", "alpha later")
        }
        assert bulk.count_undo(UndoImport(import_id=imported), restored).count == 3


def test_a_backup_while_people_write_is_one_moment(
    store: Store, new_database: MakeDatabase, tmp_path: Path
) -> None:
    """Each entry comes with its versions, its changes and its keys; none is half there."""
    ended, busy = threading.Event(), threading.Semaphore(0)

    def write(name: str) -> None:
        for number in range(10_000):
            entry = add(store, f"{name} {number}")
            changes = EntryChanges(problem="changed")
            entries.update(UpdateEntry(id=entry, changes=changes), store)
            busy.release()
            if ended.is_set():
                return

    writers = [threading.Thread(target=write, args=[name]) for name in ("one", "two")]
    for writer in writers:
        writer.start()
    try:
        for _ in range(20):
            assert busy.acquire(timeout=30)
        kept = rows(store.url, "select id from entries")
        file = save(store.url, tmp_path)
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    url = new_database()
    put(file, url)
    found = rows(
        url,
        "select e.id, e.version, (select count(*) from changes as c where c.entry_id = e.id)"
        " as changes, (select count(*) from entry_versions as v where v.entry_id = e.id)"
        " as versions from entries as e",
    )
    assert {row["id"] for row in kept} <= {row["id"] for row in found}
    assert all(row["changes"] == row["version"] == row["versions"] + 1 for row in found)
    effects = rows(url, "select count(*) as count from effects")[0]["count"]
    assert effects == sum(row["version"] for row in found)


def test_a_place_in_use_is_refused_unless_it_may_be_replaced(store: Store, tmp_path: Path) -> None:
    """Refused, nobody is cut off; replaced, what came after the backup is gone and indexes know."""
    follower = Follower(tmp_path / "index", store)
    try:
        add(store, "alpha kept")
        file = save(store.url, tmp_path)
        add(store, "alpha of later")
        follower.step()
        before = contents(store.url)
        with pytest.raises(LiveData):
            put(file, store.url)
        assert contents(store.url) == before
        put(file, store.url, replace=True)
        follower.step()
        assert titles(IndexReader(tmp_path / "index"), "alpha") == {"alpha kept"}
    finally:
        follower.close()


def test_two_restores_of_one_backup_are_two_epochs(store: Store, tmp_path: Path) -> None:
    """An index of the first would miss what the second has, if it took them for one."""
    file = save(store.url, tmp_path)
    epochs = set()
    for _ in range(2):
        put(file, store.url, replace=True)
        epochs.add(rows(store.url, "select restores from epoch")[0]["restores"])
    assert len(epochs) == 2


class Broken:
    """A backup whose disk fails in the middle."""

    def __init__(self, whole: Archive) -> None:
        self._whole = whole
        self.manifest = whole.manifest

    def rows(self, table: BackupTable) -> Iterator[bytes]:
        if table.name == "entries":
            raise OSError("the disk failed")
        return self._whole.rows(table)


def test_a_restore_that_fails_leaves_what_was(store: Store, tmp_path: Path) -> None:
    """Schema, rows and epoch are as they were, whatever happens half-way."""
    add(store, "alpha")
    before, epoch = contents(store.url), rows(store.url, "select * from epoch")
    with Archive(save(store.url, tmp_path)) as found, pytest.raises(OSError, match="disk"):
        restore(store.url, Broken(found), replace=True, by="test")
    assert contents(store.url) == before
    assert rows(store.url, "select * from epoch") == epoch


def test_a_backup_of_an_earlier_release_is_brought_up_to_date(
    new_database: MakeDatabase, tmp_path: Path
) -> None:
    """Its tables are made as they were, filled, and then changed as an upgrade would."""
    old = new_database()
    with alone(old) as session:
        session.execute(statement("system.schema_migrations"))
        apply(session, known()[0])
        add_presets(session)
        session.execute(
            b"insert into imports (id, source, files, started_by)"
            b" values (gen_random_uuid(), 'wiki', '{}', 'me')"
        )
    url = new_database()
    put(save(old, tmp_path), url)
    assert migrate(url) == []
    assert rows(url, "select source, mode, duplicates from imports") == [
        {"source": "wiki", "mode": "upsert", "duplicates": "auto"}
    ]


def test_a_backup_of_a_later_release_is_refused(store: Store, tmp_path: Path) -> None:
    """This release doesn't know what its tables mean."""
    with store.transaction() as tx:
        tx.run("system.migrated", version=9999, name="of_later")
    with pytest.raises(BackupOfLaterRelease):
        put(save(store.url, tmp_path), store.url, replace=True)
