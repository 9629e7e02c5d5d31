"""Search by meaning, on real servers: switched on, filled, followed, asked."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import psycopg
import pytest

from actors import entries, semantic, tasks, tracking
from contracts.base import Nothing
from contracts.entries import ChangeEntryState, CreateEntry, EntryChanges, EntryFields, UpdateEntry
from contracts.errors import EmbeddingRefused, EmbeddingUnavailable, SemanticOff, VectorMissing
from contracts.semantic import AskNearest, DisableSemantic, EnableSemantic, FillVectors
from contracts.tasks import ListTasks, TaskError, TaskStatus
from storage.embedding import wordllama
from storage.embedding.provider import WEIGHTS, Embedding
from storage.embedding.vectors import Embedders
from storage.postgres.store import Store
from tests.support.house import House

DONE = "select 1 from tasks where id = %s and status = %s"
#: Two themes that share words within and none between.
TITLES = (
    "disk full on the volume",
    "volume of the disk has no room, disk full",
    "no room on this volume",
    "password expired for the login",
    "login refused, password wrong",
    "login wrong after the password expired",
)


def stored(house: House, title: str) -> UUID:
    """A new entry's id."""
    command = CreateEntry(entry=EntryFields(title=title, category="Tests"))
    found: UUID = house.call(entries.create, command).entry.id
    return found


def filled(house: House) -> None:
    """Vectors of all entries, made by a worker."""
    started = house.call(semantic.enable, EnableSemantic(by="eve"))
    with house.running("embedding"):
        house.until(DONE, started.task, TaskStatus.SUCCEEDED)


def near(house: House, text: str, most: int = 3) -> tuple[UUID, ...]:
    """What is near, the likest first."""
    found: tuple[UUID, ...] = house.call(semantic.nearest, AskNearest(text=text, most=most)).ids
    return found


def test_entries_of_one_theme_are_near(house: House) -> None:
    """A word that no entry holds finds those that are about it."""
    ids = {title: stored(house, title) for title in TITLES}
    filled(house)
    assert set(near(house, "storage capacity")) == {ids[title] for title in TITLES[:3]}
    assert set(near(house, "authentication credentials")) == {ids[title] for title in TITLES[3:]}
    asked = AskNearest(text="disk", most=1)
    assert house.call(semantic.nearest, asked).weight == WEIGHTS["wordllama"]
    state = house.call(semantic.state, Nothing())
    assert (state.name, state.vectors, state.entries, state.filling) == ("wordllama", 6, 6, None)


def test_off_says_what_to_do(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither switched on nor installed: a typed error that names the next command."""
    with pytest.raises(SemanticOff, match="casebook semantic enable"):
        near(house, "disk")
    monkeypatch.setattr(wordllama, "find_spec", lambda _: None)
    for asked in (
        lambda: near(house, "disk"),
        lambda: house.call(semantic.enable, EnableSemantic()),
    ):
        with pytest.raises(SemanticOff, match=r"casebook\[semantic\]"):
            asked()
    assert house.call(semantic.state, Nothing()).model is None


def test_a_backfill_goes_on_where_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after its first batch, it makes the other vectors and not the first ones again."""
    ids = [stored(house, title) for title in TITLES]
    monkeypatch.setattr(semantic, "BATCH", 2)
    model = house.call(semantic.enable, EnableSemantic()).model
    embedders = house.broker.resources[Embedders]
    made: list[list[str]] = []

    class Stopping(Embedders):
        def of(self, store: Store, model: Any) -> Any:
            embedder = embedders.of(store, model)
            made.append([])
            if len(made) == 2:
                raise EmbeddingUnavailable
            return embedder

    house.broker.resources[Embedders] = Stopping(embedders.embedding)
    with pytest.raises(EmbeddingUnavailable):
        house.call(semantic.fill, FillVectors(model=model))
    first = house.rows("select entry_id, xmin::text as made from entry_vectors order by entry_id")
    assert [row["entry_id"] for row in first] == ids[:2]
    assert house.call(semantic.state, Nothing()).filling == model
    house.call(semantic.fill, FillVectors(model=model))
    rows = house.rows("select entry_id, xmin::text as made from entry_vectors order by entry_id")
    assert rows[:2] == first
    assert [row["entry_id"] for row in rows] == ids


def test_vectors_follow_changes(house: House) -> None:
    """A new text gets a new vector, a new entry one of its own, an archived one none."""
    ids = [stored(house, title) for title in TITLES]
    filled(house)
    changes = EntryChanges(title="password expired: login refused")
    house.call(entries.update, UpdateEntry(id=ids[0], changes=changes))
    house.call(entries.archive, ChangeEntryState(id=ids[5]))
    new = stored(house, "another login, another password")
    house.call(semantic.follow, Nothing())
    assert set(near(house, "password", 4)) == {ids[0], ids[3], ids[4], new}
    house.call(semantic.follow, Nothing())
    assert house.call(semantic.state, Nothing()).vectors == len(ids)


def test_a_new_model_replaces_the_old_one_when_it_is_complete(house: House) -> None:
    """Until then searches use the old one; afterwards nothing of it is left."""
    for title in TITLES:
        stored(house, title)
    filled(house)
    old = house.call(semantic.state, Nothing()).model
    started = house.call(semantic.enable, EnableSemantic())
    assert near(house, "disk")
    house.call(semantic.fill, FillVectors(model=started.model))
    assert house.call(semantic.state, Nothing()).model == started.model != old
    assert house.rows("select distinct model from entry_vectors") == [{"model": started.model}]
    names = house.rows("select indexname as name from pg_indexes where indexname ~ '_of_'")
    assert [row["name"] for row in names] == [f"entry_vectors_of_{started.model}"]
    house.call(semantic.disable, DisableSemantic())
    with pytest.raises(SemanticOff):
        near(house, "disk")


def test_the_index_of_vectors_is_used(house: House) -> None:
    """The question fits the partial index of the model."""
    for title in TITLES:
        stored(house, title)
    filled(house)
    with house.store.transaction() as tx:
        tx.connection.execute("set local enable_seqscan = off")
        tx.connection.execute("set local enable_sort = off")
        model = semantic.vectors.current(tx)
        assert model is not None
        asked = semantic.vectors._of("nearest", model.id, model.dimensions or 0)
        text = semantic.vectors._text([1.0] * (model.dimensions or 0))
        plan = tx.connection.execute(b"explain " + asked, {"vector": text, "most": 3}).fetchall()
    assert "entry_vectors_of_" in str(plan)


def test_a_server_that_refuses_the_extension(house: House, database_url: str) -> None:
    """Who may not create it is told what to do, and nothing is begun."""
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute("drop role if exists plain_casebook")
        session.execute("create role plain_casebook login password 'plain'")
        session.execute("grant all on all tables in schema public to plain_casebook")
        session.execute("grant all on all sequences in schema public to plain_casebook")
    url = psycopg.conninfo.make_conninfo(database_url, user="plain_casebook", password="plain")
    plain = Store(url)
    plain.open()
    try:
        # Of pgvector everyone may create what its author has marked as trusted.
        with psycopg.connect(database_url, autocommit=True) as session:
            session.execute(
                "revoke create on database "
                + psycopg.sql.Identifier(session.info.dbname).as_string(session)
                + " from public"  # type: ignore[arg-type]  # quoted above
            )
        with pytest.raises(VectorMissing, match="create extension vector"):
            semantic.enable(
                EnableSemantic(), plain, house.broker, house.broker.resources[Embedders]
            )
    finally:
        plain.close()
    assert house.rows("select id from tasks") == []


# --- an endpoint


@dataclass
class Desk:
    """An endpoint that speaks the protocol: counts letters, and notes what it is asked."""

    url: str = ""
    status: int = 200
    #: What is answered in place of vectors: the value of `data`.
    odd: Any = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)


@contextmanager
def endpoint() -> Iterator[Desk]:
    """It listens on loopback until it is left."""
    desk = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            desk.asked.append(body | {"path": self.path})
            desk.keys.add(self.headers["Authorization"])
            rows = [
                {"object": "embedding", "index": number, "embedding": _letters(text)}
                for number, text in enumerate(body["input"])
            ]
            data = rows[::-1] if desk.odd is None else desk.odd
            answer = {"object": "list", "data": data, "model": body["model"]}
            if desk.status != 200:
                answer = {"error": {"message": "no such model"}}
            encoded = json.dumps(answer).encode()
            self.send_response(desk.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        desk.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield desk
        finally:
            server.shutdown()
            thread.join()


def _letters(text: str) -> list[float]:
    return [1.0 + text.lower().count(letter) for letter in "abcdefgh"]


def test_an_endpoint_makes_the_vectors(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In batches, with its key; away, a search says so, and changes wait for it."""
    caplog.set_level(logging.CRITICAL)
    ids = {title: stored(house, title) for title in ("aaaa", "bbbb", "gggg")}
    with endpoint() as desk:
        monkeypatch.setattr("storage.embedding.endpoint.BATCH", 2)
        embedding = Embedding("openai", desk.url, "letters", "k3y", timeout=5)
        assert "k3y" not in repr(embedding)
        house.broker.resources[Embedders] = Embedders(embedding)
        filled(house)
        assert {one["path"] for one in desk.asked} == {"/v1/embeddings"}
        assert [len(one["input"]) for one in desk.asked] == [1, 1, 2, 1]
        assert (desk.keys, desk.asked[0]["model"]) == ({"Bearer k3y"}, "letters")
        assert near(house, "gg", 1) == (ids["gggg"],)
        desk.status = 503
        with pytest.raises(EmbeddingUnavailable):
            near(house, "gg")
        new = stored(house, "cccc")
        house.call(semantic.follow, Nothing())
        desk.status = 404
        with pytest.raises(EmbeddingRefused) as caught:
            near(house, "gg")
        assert "no such model" in caught.value.details["said"]
        desk.status = 200
        house.call(semantic.follow, Nothing())
        assert near(house, "cc", 1) == (new,)
        house.broker.resources[Embedders] = Embedders(Embedding("openai", desk.url, "other"))
        with pytest.raises(SemanticOff, match="openai letters"):
            near(house, "gg")
    house.broker.resources[Embedders] = Embedders(embedding)
    with pytest.raises(EmbeddingUnavailable):
        near(house, "gg")


def test_an_endpoint_that_fails_again_and_again_is_left_alone() -> None:
    """It is not asked for a while; one that refuses us is there, and is."""
    with endpoint() as desk:
        embedding = Embedding("openai", desk.url, "letters")
        desk.status = 404
        for _ in range(6):
            with pytest.raises(EmbeddingRefused):
                embedding.load(8, b"").embed(["a"])
        desk.status = 503
        for _ in range(6):
            with pytest.raises(EmbeddingUnavailable) as caught:
                embedding.load(8, b"").embed(["a"])
        assert caught.value.details["circuit"] == "embedding"
        assert len(desk.asked) == 6 + 5


def _one(*vector: Any) -> list[dict[str, Any]]:
    return [{"index": 0, "embedding": list(vector)}]


@pytest.mark.parametrize(
    "data",
    [
        [],
        _one(),
        _one("nan", *[1.0] * 7),
        _one("inf", *[1.0] * 7),
        _one(1e300, *[1.0] * 7),
        _one(-(10**60), *[1.0] * 7),
        _one(None, *[1.0] * 7),
        _one(*[0.0] * 8),
        _one(*[1e-300] * 8),
        "vectors",
        {"index": 0},
        [[1.0] * 8],
        [{"index": 0, "embedding": "AACAPwAAgD8="}],
    ],
    ids=str,
)
def test_odd_vectors_are_refused(data: Any) -> None:
    """What is no vector, or none that can be kept, whether its size is known or not."""
    with endpoint() as desk:
        embedding = Embedding("openai", desk.url, "letters")
        desk.odd = data
        for ask in (lambda: embedding.load(8, b"").embed(["a"]), lambda: embedding.learn(())):
            with pytest.raises(EmbeddingRefused):
                ask()


def test_who_switches_it_on_is_told_what_the_endpoint_says(house: House) -> None:
    """Its refusal ends the request; where it is away the vectors wait for it, as a task."""
    with endpoint() as desk:
        house.broker.resources[Embedders] = Embedders(Embedding("openai", desk.url, "letters"))
        desk.status = 401
        with pytest.raises(EmbeddingRefused) as caught:
            house.call(semantic.enable, EnableSemantic())
        assert caught.value.details["answered"] == 401
        desk.status, desk.odd = 200, []
        with pytest.raises(EmbeddingRefused):
            house.call(semantic.enable, EnableSemantic())
        assert house.rows("select id from tasks") == []
        desk.status = 503
        house.call(semantic.enable, EnableSemantic())
    assert len(house.rows("select id from tasks")) == 1


def test_a_task_tells_how_it_went(house: House) -> None:
    """How far it is while it runs, all of it at its end, and its error also in the list."""
    for title in TITLES:
        stored(house, title)
    filled(house)
    (done,) = house.call(tasks.list_page, ListTasks()).tasks
    assert (done.done, done.total, done.error) == (6, 6, None)
    older = house.call(semantic.enable, EnableSemantic())
    newer = house.call(semantic.enable, EnableSemantic())
    state = house.call(semantic.state, Nothing())
    assert (state.filling, state.filling_task, state.filled) == (newer.model, newer.task, 0)
    house.call(semantic.fill, FillVectors(model=newer.model))
    left = house.call(semantic.fill, FillVectors(model=older.model))
    assert (left.vectors, left.superseded) == (0, True)


def test_what_has_failed_is_not_being_made(house: House) -> None:
    """Its task says why in the list of tasks as well."""
    started = house.call(semantic.enable, EnableSemantic())
    assert house.call(semantic.state, Nothing()).filling == started.model
    with house.store.transaction() as tx:
        error = TaskError(code="EMBEDDING_REFUSED", message="no such model")
        tracking.failed(tx, tracking.Place(started.task, 0, 0), error)
    assert house.call(semantic.state, Nothing()).filling is None
    (task,) = house.call(tasks.list_page, ListTasks()).tasks
    assert task.error == error
