"""The index follows the change feed: nothing is passed over, whoever is slow or killed."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from actors import entries
from contracts.entries import ChangeEntryState, CreateEntry, EntryChanges, EntryFields, UpdateEntry
from contracts.errors import IndexBehind
from contracts.search import SearchQuery, SearchReply
from storage.index.follower import START, Follower
from storage.index.searcher import IndexReader
from storage.postgres.store import Store


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


def add(store: Store, title: str) -> Any:
    """A new entry's reply."""
    return entries.create(CreateEntry(entry=EntryFields(title=title)), store)


def found(reader: IndexReader, text: str = "", after: str | None = None) -> set[str]:
    """The titles that a search finds."""
    reply = orjson.loads(reader.search(SearchQuery(q=text, limit=100, after=after)))
    return {hit["title"] for hit in reply["hits"]}


def test_listed_codes_are_found(store: Store, follower: Follower, reader: IndexReader) -> None:
    """Those of no text of the entry, however they are asked for; those without a shape as words."""
    for title, codes in {
        "payroll": ["S0C7", "sqlcode -805", "NOTFND", 7, None, "x" * 500],
        "other": "S0C7",
    }.items():
        fields = EntryFields(title=title, custom={"codes": codes})
        entries.create(CreateEntry(entry=fields), store)
    add(store, "another entry")
    follower.step()
    for asked in ("ABEND=0C7", "-805", "SQL0805N", "notfnd"):
        assert found(reader, asked) == {"payroll"}, asked
    follower.rebuild()
    assert found(reader, "s0c7") == {"payroll"}


def test_a_category_with_a_slash_is_a_part(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """It is found, counted and excluded with what it is a part of; as a group it stands alone."""
    tree = ("Mainframe/DB2", "mainframe/db2/ utilities", "Mainframe", "batch/night", "/", "Else")
    for number, category in enumerate(tree):
        fields = EntryFields(title=f"entry {number}", category=category)
        entries.create(CreateEntry(entry=fields), store)
    follower.step()
    for category, held in {"MAINFRAME": {0, 1, 2}, "mainframe/db2": {0, 1}, "batch": {3}}.items():
        assert found(reader, f"category:{category}") == {f"entry {n}" for n in held}
    assert found(reader, "entry -category:mainframe") == {"entry 3", "entry 4", "entry 5"}
    asked = SearchQuery(q="entry", facets=("category",), group="category", limit=100)
    reply = SearchReply.from_reply(reader.search(asked))
    (top,) = [value for value in reply.facets["category"] if value.value == "mainframe"]
    (db2,) = top.children
    assert [(one.value, one.count) for one in (top, db2, *db2.children)] == [
        ("mainframe", 3),
        ("mainframe/db2", 2),
        ("mainframe/db2/ utilities", 1),
    ]
    groups = {group.value: group.total for group in reply.groups}
    assert (groups["mainframe"], sum(groups.values())) == (1, len(tree))


def test_changes_arrive_in_order(store: Store, follower: Follower, reader: IndexReader) -> None:
    """Created, changed, archived, restored and deleted entries are found as they are now."""
    one, two = add(store, "alpha one").entry.id, add(store, "alpha two").entry.id
    follower.step()
    assert found(reader, "alpha") == {"alpha one", "alpha two"}
    entries.update(UpdateEntry(id=one, changes=EntryChanges(title="alpha changed")), store)
    entries.archive(ChangeEntryState(id=two), store)
    follower.step()
    assert found(reader, "alpha") == {"alpha changed"}
    entries.restore(ChangeEntryState(id=two), store)
    entries.delete(ChangeEntryState(id=one), store)
    follower.step()
    assert found(reader, "alpha") == {"alpha two"}


def test_how_entries_were_used_is_indexed(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """Uses, successes and failures come from the roll-ups, with a change and with a rebuild."""
    one, _ = add(store, "alpha used").entry.id, add(store, "alpha unused")
    with store.transaction() as tx:
        tx.connection.execute(
            "insert into entry_usage (entry_id, usage, success, failure) values (%s, 9, 4, 1)",
            (one,),
        )
    follower.step()
    assert found(reader, "alpha usage:9 success:>3 failure:1") == {"alpha used"}
    follower.rebuild()
    assert found(reader, "alpha usage:>0") == {"alpha used"}


def test_a_slower_transaction_is_not_passed_over(
    store: Store, follower: Follower, reader: IndexReader, database_url: str
) -> None:
    """A change with a lower number that commits later is applied, after it was held for."""
    add(store, "settled before")
    follower.step()
    with psycopg.connect(database_url) as slow:
        slow.execute(
            "insert into entries (id, title, problem, solution, category, severity, tags, custom,"
            " digest, text_digest, created_by, updated_by) values (gen_random_uuid(),"
            " 'slow transaction', '', '', 'Other', 'low', '{}', '{}', gen_random_uuid(),"
            " gen_random_uuid(), '', '')"
        )
        slow.execute("insert into changes (entry_id, op) select id, 'put' from entries"
                     " where title = 'slow transaction'")  # fmt: skip
        quick = add(store, "quick transaction")
        step = follower.step()
        assert (step.applied, step.held) == (0, True)
        with pytest.raises(IndexBehind):
            found(reader, after=quick.position)
        slow.commit()
    follower.step()
    assert found(reader, "transaction", quick.position) == {
        "slow transaction",
        "quick transaction",
    }


def test_ones_own_write_can_be_waited_for(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """`after` refuses an index that is behind, and accepts it once it has followed."""
    add(store, "first words")
    follower.step()
    position = add(store, "second words").position
    with pytest.raises(IndexBehind):
        found(reader, after=position)
    follower.step()
    assert "second words" in found(reader, after=position)


def test_another_history_means_a_new_index(
    store: Store, follower: Follower, reader: IndexReader, database_url: str
) -> None:
    """After a restore (a new epoch) the index is built anew, and old positions are not reached."""
    before = add(store, "from before").position
    follower.step()
    folder = reader.published()
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute("update epoch set restores = restores + 1")
        session.execute("delete from entries")
    fresh = Store(database_url)
    fresh.open()
    other = Follower(follower._root, fresh)
    follower.close()
    try:
        other.step()
    finally:
        other.close()
        fresh.close()
    assert folder is not None
    assert reader.published() != folder
    assert found(reader) == set()
    with pytest.raises(IndexBehind):
        found(reader, after=before)


def test_what_changes_during_a_rebuild_is_not_lost(
    store: Store, follower: Follower, reader: IndexReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries written and deleted while the scan runs are right after the next step."""
    gone = add(store, "deleted meanwhile").entry.id
    add(store, "stays here")
    scan = follower._scan

    def interfering(after: Any) -> Any:
        rows = scan(after)
        if after == START:  # the scan stands behind its first slice
            entries.delete(ChangeEntryState(id=gone), store)
            add(store, "written meanwhile")
        return rows

    monkeypatch.setattr(follower, "_scan", interfering)
    follower.rebuild()
    follower.step()
    assert found(reader) == {"stays here", "written meanwhile"}


def test_writers_and_a_follower_at_once_end_up_agreeing(
    store: Store, follower: Follower, reader: IndexReader
) -> None:
    """Four threads write while the follower steps: at the end the index holds all of it."""
    done = threading.Event()

    def write(number: int) -> None:
        for n in range(25):
            entry = add(store, f"thread {number} entry {n}").entry
            if n % 5 == 0:
                entries.delete(ChangeEntryState(id=entry.id), store)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while not done.is_set():
        if not any(thread.is_alive() for thread in threads):
            done.set()
        follower.step()
    follower.step()
    indexed = dict(reader.ids_and_versions())
    with store.transaction() as tx:
        rows = tx.connection.execute(b"select id::text, version from entries").fetchall()
    assert indexed == {row["id"]: row["version"] for row in rows}
    assert len(indexed) == 80


def test_searches_go_on_while_the_language_changes(
    root: Path, store: Store, follower: Follower, reader: IndexReader
) -> None:
    """The old index answers in its language until one in the other takes its place."""
    add(store, "Kisten und Ponies")
    follower.step()
    follower.close()
    failures: list[BaseException] = []
    begun, ended = threading.Event(), threading.Event()

    def search() -> None:
        try:
            while not ended.is_set():
                assert found(reader, "Kisten") == found(reader, "ponies") == {"Kisten und Ponies"}
                begun.set()
        except BaseException as failure:
            failures.append(failure)
            begun.set()

    thread = threading.Thread(target=search)
    thread.start()
    begun.wait()
    assert (found(reader, '"pony"'), found(reader, '"Kiste"')) == ({"Kisten und Ponies"}, set())
    other = Follower(root, store, "german")
    try:
        other.step()
    finally:
        ended.set()
        thread.join()
    assert failures == []
    assert (found(reader, '"pony"'), found(reader, '"Kiste"')) == (set(), {"Kisten und Ponies"})
    add(store, "Alle Kisten")
    other.step()
    other.close()
    assert found(reader, '"Kiste"') == {"Kisten und Ponies", "Alle Kisten"}
    told = reader.published()
    assert told is not None
    assert told.language == "german"
