"""An answer that is called valid is the one that would be given now."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.search import SearchQuery
from storage.index import published as room
from storage.index.backup import backup, copy_into, read
from storage.index.current import Current
from storage.index.freshness import Fresh
from storage.index.searcher import IndexReader
from storage.index.tuning import path as tuning_path
from storage.index.writer import IndexWriter
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import at, entry

FROM = ("generation", "position", "edition", "took_ms")


class Answer:
    """An answer that was kept."""

    def __init__(self, reader: IndexReader, **asked: Any) -> None:
        self.request, self.asked = SearchQuery(**asked), time.time()
        self.told = orjson.loads(reader.search(self.request))

    def holds(self, fresh: Fresh) -> bool:
        """Whether it is called valid."""
        told = self.told["position"], self.told["edition"]
        return fresh.valid(*told, self.request.category, asked=self.asked)


def now(root: Path) -> Fresh:
    """What is published."""
    found = Current(root).fresh()
    assert found is not None
    return found


def db2(title: str, **other: Any) -> Any:
    """An entry of a category with a parent."""
    return entry(title, category="DB2", within=("Databases",), **other)


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (lambda w: w.apply([db2("new")], ()), {"DB2", "Databases"}),
        (lambda w: w.apply([], [entry("one").id]), {"DB2", "Databases"}),
        (lambda w: w.apply([entry("one", category="VSAM")], ()), {"DB2", "Databases", "VSAM"}),
        # The tree has changed since the entry was indexed: its old ancestors count.
        (
            lambda w: w.apply([entry("one", category="DB2", within=("IBM",))], ()),
            {"DB2", "Databases", "IBM"},
        ),
        (lambda w: w.apply([], ["no such entry"]), set()),
    ],
    ids=["created", "removed", "moved", "under another parent", "never known"],
)
def test_what_a_change_touches(
    root: Path,
    fill: Fill,
    writer: IndexWriter,
    change: Callable[[IndexWriter], None],
    touched: set[str],
) -> None:
    """A change touches where an entry was, where it is, and what these are parts of."""
    reader = fill(db2("one"), entry("two", category="VSAM"))
    names = {"DB2", "Databases", "VSAM", "IBM", "Other"}
    kept = {name: Answer(reader, category=(name,)) for name in names}
    everything = Answer(reader)
    change(writer)
    writer.commit(at(2))
    assert {name for name in names if not kept[name].holds(now(root))} == touched
    assert everything.holds(now(root)) is not bool(touched)


def test_killed_between_commit_and_publishing(
    root: Path, fill: Fill, writer: IndexWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine has committed is told as touched by whoever goes on."""
    reader = fill(db2("one"), entry("two", category="VSAM"))
    kept = Answer(reader, category=("DB2",)), Answer(reader, category=("VSAM",))

    def killed(*_: Any) -> None:
        raise SystemExit

    writer.apply([], [entry("one").id])
    monkeypatch.setattr(room, "write", killed)
    with pytest.raises(SystemExit):
        writer.commit(at(2))
    assert [one.holds(now(root)) for one in kept] == [True, True]  # nobody sees the commit yet
    monkeypatch.undo()
    writer.close()
    again = IndexWriter.open_current(root)
    assert again is not None
    assert [one.holds(now(root)) for one in kept] == [False, True]
    again.apply([entry("three", category="VSAM")], ())
    again.commit(at(3))
    again.close()
    assert [one.holds(now(root)) for one in kept] == [False, False]


def test_undone_changes_touch_nothing(
    root: Path, fill: Fill, writer: IndexWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that failed leaves no trace: its changes come again from the feed."""
    kept = Answer(fill(db2("one")), category=("DB2",))
    writer.apply([], [entry("one").id])
    with monkeypatch.context() as broken:
        broken.setattr("storage.index.writer.mark_document", lambda _: None)
        with pytest.raises(TypeError):
            writer.commit(at(2))
    writer.apply([entry("two", category="VSAM")], ())
    writer.commit(at(3))
    assert kept.holds(now(root))


def test_a_rebuild_and_a_backup_touch_everything(
    root: Path, fill: Fill, writer: IndexWriter, tmp_path: Path
) -> None:
    """At the very same position too: the index before may have been damaged."""
    reader = fill(db2("one"))
    kept = Answer(reader, category=("DB2",))
    copy = tmp_path / "copy"
    backup(root, copy)
    writer.close()
    again = IndexWriter.build_new(root)
    again.apply([db2("one")], ())
    again.commit(at(1))
    again.close()
    assert not kept.holds(now(root))
    kept = Answer(reader, category=("DB2",))
    assert kept.holds(now(root))
    manifest = read(copy)
    IndexWriter.take_over(root, "english", lambda to: copy_into(copy, manifest, to)).close()
    assert not kept.holds(now(root))


def test_tuning_is_another_edition(root: Path, fill: Fill) -> None:
    """What searches see of synonyms and pins is what answers are judged by."""
    reader, current = fill(db2("one")), Current(root)
    before = Answer(reader)
    seen = current.fresh()
    assert seen is not None
    assert before.holds(seen)
    tuning_path(root).write_text('{"version": 7, "synonyms": [], "pins": [], "popular": []}')
    tuned = current.fresh()
    assert tuned is not None
    assert not before.holds(tuned)
    assert Answer(reader).holds(tuned)


CATEGORIES = {"DB2": ("Databases",), "IMS": ("Databases",), "VSAM": (), "Databases": ()}
NAMES = st.sampled_from(sorted(CATEGORIES))
IDS = st.integers(0, 5)
WORDS = st.lists(st.sampled_from(["lock", "scan", "dump", "S0C7"]), max_size=3).map(" ".join)
WRITES = st.lists(st.one_of(st.tuples(IDS, NAMES, WORDS), st.tuples(IDS)), max_size=4)
REQUESTS = st.fixed_dictionaries(
    {"category": st.lists(NAMES, max_size=2, unique=True).map(tuple)},
    optional={
        "q": WORDS,
        "sort": st.sampled_from(["-updated", "updated", "relevance"]),
        "facets": st.just(("tag", "severity")),
    },
)


def write(writer: IndexWriter, changes: list[tuple[Any, ...]], number: int) -> None:
    """Apply and commit: `(id, category, words)` replaces an entry, `(id,)` removes one."""
    last = {change[0]: change for change in changes}
    puts = [
        entry(f"{words} {key}", words, category=name, within=CATEGORIES[name], id=str(key))
        for key, name, words in (change for change in last.values() if len(change) == 3)
    ]
    writer.apply(puts, [str(key) for key, *rest in last.values() if not rest])
    writer.commit(at(number))


def shown(told: dict[str, Any], *, scored: bool) -> dict[str, Any]:
    """What has to be equal: all of it, but for order and scores where words were scored."""
    same = {name: value for name, value in told.items() if name not in FROM}
    if scored:
        hits = ({**hit, "score": 0} for hit in told["hits"])
        same["hits"] = sorted(hits, key=lambda hit: str(hit["id"]))
    return same


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    commits=st.lists(WRITES, min_size=1, max_size=4),
    requests=st.lists(REQUESTS, min_size=1, max_size=3),
)
def test_what_is_called_valid_is_equal(
    tmp_path_factory: pytest.TempPathFactory,
    commits: list[list[tuple[Any, ...]]],
    requests: list[dict[str, Any]],
) -> None:
    """Whatever is written: each answer of each commit that holds is the answer of now."""
    root = tmp_path_factory.mktemp("fresh")
    writer = IndexWriter.build_new(root)
    write(writer, [(0, "DB2", "lock"), (1, "VSAM", "scan"), (2, "Databases", "dump")], 1)
    reader, current = IndexReader(root), Current(root)
    kept = [Answer(reader, limit=50, **request) for request in requests]
    try:
        for number, changes in enumerate(commits, 2):
            write(writer, changes, number)
            fresh = current.fresh()
            assert fresh is not None
            for one in [one for one in kept if one.holds(fresh)]:
                told = orjson.loads(reader.search(one.request))
                scored = bool(one.request.q.strip())
                assert shown(told, scored=scored) == shown(one.told, scored=scored)
            kept += [Answer(reader, limit=50, **request) for request in requests]
    finally:
        writer.close()
