"""Models and vectors in PostgreSQL. Neither is there until semantic search is switched on.

All of it can be made anew from the entries, so it is in no migration and in no backup, and no
foreign key ties it to what is.
"""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import errors

from contracts.errors import VectorMissing
from storage.embedding.embedder import Embedder, Vectors
from storage.embedding.provider import Embedding
from storage.postgres.statements import statement
from storage.postgres.store import Row, Store, Transaction

#: Candidates that a look-up keeps in sight, for each that is wanted: some are of texts that have
#: changed since, and with more of them it passes less over. The second is pgvector's limit.
SIGHT, SIGHT_MAX = 2, 1_000


class Model(NamedTuple):
    """What made the vectors of one backfill."""

    id: int
    name: str
    dimensions: int | None  # None until it has learned
    ready: bool
    upto: UUID | None  # entries up to this id have a vector
    seen: str | None  # the head of the feed when all had one


def is_on(tx: Transaction) -> bool:
    """Whether semantic search was switched on."""
    row = tx.row("semantic.is_on")
    return row is not None and bool(row["found"])


def switch_on(tx: Transaction) -> None:
    """Make what is missing. Raises: VectorMissing where the server lacks or refuses pgvector."""
    try:
        tx.run("semantic.extension")
    except (
        errors.InsufficientPrivilege,
        errors.FeatureNotSupported,
        errors.UndefinedFile,
    ) as error:
        raise VectorMissing(reason=str(error).splitlines()[0]) from error
    tx.run("semantic.models")
    tx.run("semantic.vectors")


def switch_off(tx: Transaction) -> None:
    """Forget all of it; the extension stays, it may be someone else's."""
    tx.run("semantic.drop")


def models(tx: Transaction) -> list[Model]:
    """The newest first."""
    if not is_on(tx):
        return []
    return [Model(**row) for row in tx.rows("semantic.all_models")]


def current(tx: Transaction) -> Model | None:
    """What searches use."""
    return next((model for model in models(tx) if model.ready), None)


def learned(tx: Transaction, model: int, dimensions: int, parameters: bytes) -> None:
    """Keep what a model is loaded from, and begin the index of its vectors. Once."""
    if tx.run("semantic.learned", id=model, dimensions=dimensions, parameters=parameters):
        tx.connection.execute(_of("index", model, dimensions))


def put(tx: Transaction, model: Model, rows: Sequence[Row], vectors: Vectors) -> None:
    """Keep the vectors of these entries, as of their versions."""
    tx.run(
        "semantic.put",
        model=model.id,
        ids=[row["id"] for row in rows],
        versions=[row["version"] for row in rows],
        vectors=[_text(vector) for vector in vectors],
    )


def nearest(tx: Transaction, model: Model, vector: Sequence[float], most: int) -> list[UUID]:
    """The entries with the likest vectors, the likest first; none for a vector of zeros."""
    if not any(vector):
        return []
    tx.run("semantic.look", sight=str(min(SIGHT_MAX, SIGHT * most)))
    asked = _of("nearest", model.id, model.dimensions or 0)
    found = tx.connection.execute(asked, {"vector": _text(vector), "most": most})
    return [row["entry_id"] for row in found]


def finish(tx: Transaction, model: Model) -> None:
    """Searches use this model from now on; those before it go."""
    for other in models(tx):
        if other.id < model.id:
            tx.connection.execute(_of("drop_index", other.id, 0))
    tx.run("semantic.drop_vectors", id=model.id)
    tx.run("semantic.drop_models", id=model.id)
    tx.run("semantic.ready", id=model.id)


def _of(name: str, model: int, dimensions: int) -> bytes:
    """A statement whose plan depends on the model: its numbers stand in it."""
    text = statement(f"semantic.{name}").replace(b"{model}", b"%d" % model)
    return text.replace(b"{dimensions}", b"%d" % dimensions)


def _text(vector: Sequence[float]) -> str:
    return f"[{','.join(map(str, vector))}]"


class Embedders:
    """The model that this process uses, loaded once."""

    def __init__(self, embedding: Embedding) -> None:
        self.embedding = embedding
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Embedder] | None = None

    def of(self, store: Store, model: Model) -> Embedder:
        """The embedder of a model that has learned. Raises: SemanticOff."""
        with self._lock:
            # Another database, or tables made anew, may give the same number to another model.
            with store.transaction() as tx:
                row = tx.row("semantic.stamp", id=model.id)
            stamp = row and row["learned_at"]
            if self._loaded is None or self._loaded[0] != stamp:
                with store.transaction() as tx:
                    row = tx.row("semantic.parameters", id=model.id)
                assert row is not None
                loaded = self.embedding.load(model.dimensions or 0, bytes(row["parameters"]))
                self._loaded = (stamp, loaded)
            return self._loaded[1]
