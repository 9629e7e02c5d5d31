"""Search by meaning: vectors of the entries, made as a task, kept up to date, looked up."""

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from actors import tracking
from actors.actor import actor
from actors.broker.broker import StreamsBroker
from actors.dead_letters import audit
from actors.tracking import Tracked
from contracts.base import Nothing, new_id
from contracts.errors import EmbeddingRefused, EmbeddingUnavailable, NotFinished, SemanticOff
from contracts.semantic import (
    AskNearest,
    DisableSemantic,
    EnableSemantic,
    FillVectors,
    Nearest,
    SemanticDisabled,
    SemanticStarted,
    SemanticState,
    VectorsFilled,
)
from contracts.tasks import Member, Step
from storage.embedding import vectors
from storage.embedding.vectors import Embedders, Model
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction

log = logging.getLogger(__name__)

BATCH = 100  # entries a transaction
TURN = 5.0  # seconds that a backfill works before it looks whether it was canceled
SAMPLE = 20_000  # entries that a model learns from
READ = 6_000  # characters of an entry: below what endpoints take, in any language
EVERY = timedelta(seconds=20)


@actor(queue="operators")
def enable(
    command: EnableSemantic, store: Store, broker: StreamsBroker, embedders: Embedders
) -> SemanticStarted:
    """Begin to make vectors of all entries.

    Raises: SemanticOff, VectorMissing, EmbeddingRefused; of an endpoint that is away the task says.
    """
    embedders.embedding.probe()

    def effect(tx: Transaction) -> SemanticStarted:
        vectors.switch_on(tx)
        row = tx.row("semantic.new_model", name=embedders.embedding.name)
        count = tx.row("feed.count")
        assert row is not None
        assert count is not None
        task_id, details = new_id(), {"provider": embedders.embedding.name}
        tracking.open_task(tx, task_id, "semantic", command.by, details=details)
        audit(tx, command.by, "semantic.enable", str(task_id), details)
        tx.run("tasks.progress", id=task_id, done=0, total=count["count"])
        request = FillVectors(model=row["id"]).model_dump(mode="json")
        member = Member(actor=fill.name, request=request)
        tracking.add_steps(tx, task_id, [Step(name="fill", members=(member,))])
        tracking.advance(tx, task_id)
        return SemanticStarted(task=task_id, model=row["id"], count=count["count"])

    started = once(store, "semantic.enable", command, SemanticStarted, effect)
    tracking.send_due(store, broker, started.task)
    return started


@actor(queue="operators")
def disable(command: DisableSemantic, store: Store) -> SemanticDisabled:
    """Forget all vectors; searches find words again, and say so to who asks for more."""

    def effect(tx: Transaction) -> SemanticDisabled:
        model = vectors.current(tx)
        found = _count(tx, model.id) if model else 0
        vectors.switch_off(tx)
        audit(tx, command.by, "semantic.disable", "", {"vectors": found})
        return SemanticDisabled(vectors=found)

    return once(store, "semantic.disable", command, SemanticDisabled, effect)


@actor(
    queue="embedding",
    time_limit=timedelta(hours=1),
    fatal=(EmbeddingRefused, SemanticOff),
)
def fill(
    command: FillVectors, store: Store, embedders: Embedders, tracked: Tracked
) -> VectorsFilled:
    """Learn what the provider learns, then make the next vectors for one turn; asks for another.

    How far it is stands in the transaction that keeps the vectors: killed, it goes on from there.
    Raises: NotFinished, TaskCanceled, SemanticOff, EmbeddingUnavailable, EmbeddingRefused.
    """
    until = time.monotonic() + TURN
    while True:
        tracked.check()
        with store.transaction() as tx:
            model = next((one for one in vectors.models(tx) if one.id == command.model), None)
        if model is None:  # a newer one was complete first, or all was switched off
            return VectorsFilled(vectors=0, superseded=True)
        if model.dimensions is None:
            _learn(store, embedders, model)
        elif not _next(store, embedders, model):
            with store.transaction() as tx:
                done = _count(tx, model.id)
            tracked.report(done, done)
            return VectorsFilled(vectors=done)
        if time.monotonic() > until:
            with store.transaction() as tx:
                done = _count(tx, model.id)
            tracked.report(done)
            raise NotFinished()


@actor(queue="embedding", time_limit=timedelta(minutes=10))
def follow(request: Nothing, store: Store, embedders: Embedders) -> Nothing:
    """Bring the vectors up to the entries, if these have changed; one batch a run."""
    with store.transaction() as tx:
        model, row = vectors.current(tx), tx.row("feed.head")
        head = f"{row['txid']}.{row['seq']}" if row else ""
        if model is None or model.seen == head or model.name != embedders.embedding.name:
            return Nothing()
        rows = tx.rows("semantic.stale", model=model.id, limit=10 * BATCH)
    try:
        made = _embed(store, embedders, model, rows)
    except (EmbeddingUnavailable, EmbeddingRefused, SemanticOff) as error:
        log.warning("Vectors are behind: %s %s", error.message, error.details)
        return Nothing()
    with store.transaction() as tx:
        vectors.put(tx, model, rows, made)
        if len(rows) < 10 * BATCH:
            tx.run("semantic.gone")
            tx.run("semantic.seen", id=model.id, seen=head)
    return Nothing()


@actor(queue="reads", read=True)
def state(request: Nothing, store: Store, embedders: Embedders) -> SemanticState:
    """What searches by meaning use now, and how far what is being made is."""
    with store.transaction() as tx:
        found, row = vectors.models(tx), tx.row("feed.count")
        assert row is not None
        state = SemanticState(provider=embedders.embedding.name, entries=row["count"])
        model = next((one for one in found if one.ready), None)
        used = model and {
            "model": model.id,
            "name": model.name,
            "dimensions": model.dimensions or 0,
            "vectors": _count(tx, model.id),
        }
        return state.model_copy(update=(used or {}) | _filling(tx, found))


def _filling(tx: Transaction, found: list[Model]) -> dict[str, Any]:
    """The fields of a state about the model whose task has not ended."""
    row = tx.row("semantic.filling")
    if row is None or not any(one.id == row["model"] and not one.ready for one in found):
        return {}
    made = _count(tx, row["model"])
    return {"filling": row["model"], "filling_task": row["task"], "filled": made}


@actor(queue="semantic", read=True)
def nearest(request: AskNearest, store: Store, embedders: Embedders) -> Nearest:
    """The entries with the likest vectors. Raises: SemanticOff, EmbeddingUnavailable,
    EmbeddingRefused.
    """
    embedders.embedding.check()
    with store.transaction() as tx:
        model = vectors.current(tx)
    if model is None:
        raise SemanticOff(
            "No vectors are complete yet: `casebook semantic enable`, and wait for its task."
        )
    if model.name != embedders.embedding.name:
        raise SemanticOff(
            f"The vectors are of {model.name}, the settings name {embedders.embedding.name}: "
            "run `casebook semantic enable`, or set it back."
        )
    (vector,) = embedders.of(store, model).embed([request.text[:READ]])
    with store.transaction() as tx:
        ids = tuple(vectors.nearest(tx, model, vector, request.most))
    return Nearest(ids=ids, weight=embedders.embedding.weight)


def _learn(store: Store, embedders: Embedders, model: Model) -> None:
    with store.transaction() as tx:
        count = tx.row("feed.count")
        assert count is not None
        rows = tx.rows("semantic.sample", all=count["count"], most=SAMPLE)
    dimensions, parameters = embedders.embedding.learn(_texts(rows))
    with store.transaction() as tx:
        vectors.learned(tx, model.id, dimensions, parameters)


def _next(store: Store, embedders: Embedders, model: Model) -> bool:
    """Make the next batch of vectors; whether there was one. After the last, searches use them."""
    with store.transaction() as tx:
        rows = tx.rows("semantic.next", after=model.upto, limit=BATCH)
        if not rows:
            vectors.finish(tx, model)
            return False
    made = _embed(store, embedders, model, rows)
    with store.transaction() as tx:
        vectors.put(tx, model, rows, made)
        tx.run("semantic.advance", id=model.id, upto=rows[-1]["id"])
    return True


def _embed(store: Store, embedders: Embedders, model: Model, rows: list[Row]) -> list[list[float]]:
    return embedders.of(store, model).embed(_texts(rows)) if rows else []


def _texts(rows: Iterable[Row]) -> list[str]:
    parts = ((row["title"], " ".join(row["tags"]), row["problem"], row["solution"]) for row in rows)
    return ["\n".join(part for part in one if part)[:READ] for one in parts]


def _count(tx: Transaction, model: int) -> int:
    row = tx.row("semantic.count", model=model)
    assert row is not None
    return int(row["count"])
