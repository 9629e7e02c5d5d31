"""Near duplicates of an import's entries: found afterwards as a task, reported, never blocking."""

import time
from datetime import timedelta
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from actors import tracking
from actors.actor import actor
from actors.broker.broker import StreamsBroker
from actors.tracking import Tracked
from contracts.base import new_id
from contracts.errors import ImportNotFound, IndexBehind, IndexUnavailable, NotFinished
from contracts.similar import (
    NEAR,
    CompareSelected,
    FindingStarted,
    FindSimilar,
    GetSimilar,
    SimilarEntry,
    SimilarFound,
    SimilarPage,
)
from contracts.tasks import Member, Step
from storage.index.searcher import IndexReader
from storage.index.similar import shingles, similarity
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction

BATCH = 50  # entries compared between two looks at the task
CANDIDATES = 20  # entries that each is compared with
TURN = 1.0  # seconds that a task works before others on its queue have their turn
INDEX_DELAY = 500  # ms until the next look whether the index has got there


@actor(queue="operators")
def find(command: FindSimilar, store: Store, broker: StreamsBroker) -> FindingStarted:
    """Begin to compare what an import created or changed; what was found before is forgotten.

    Raises: ImportNotFound.
    """

    def effect(tx: Transaction) -> FindingStarted:
        row = tx.row("imports.report", ("id",), id=command.import_id, limit=1)
        if row is None:
            raise ImportNotFound(id=str(command.import_id))
        after = str(tx.position(row["txid"], row["seq"])) if row["txid"] is not None else None
        task_id = new_id()
        details = {"import": str(command.import_id)}
        tracking.open_task(tx, task_id, "similar", command.by, details=details)
        tx.run("similar.forget", id=command.import_id)
        found = tx.run("bulk.select_import", id=command.import_id, task_id=task_id, before=None)
        tx.run("tasks.progress", id=task_id, done=0, total=found)
        request = CompareSelected(task=task_id, import_id=command.import_id, after=after)
        member = Member(actor=compare.name, request=request.model_dump(mode="json"))
        tracking.add_steps(tx, task_id, [Step(name="compare", members=(member,))])
        tracking.advance(tx, task_id)
        return FindingStarted(task=task_id, count=found)

    started = once(store, "similar.find", command, FindingStarted, effect)
    tracking.send_due(store, broker, started.task)
    return started


@actor(queue="upkeep", time_limit=timedelta(minutes=2))
def compare(
    command: CompareSelected, store: Store, index: IndexReader, tracked: Tracked
) -> SimilarFound:
    """Compare the next of the selection for one turn, then ask for another until all are.

    An entry leaves the selection in the transaction that keeps what was found for it.
    Raises: NotFinished, also while the index has not seen the import; TaskCanceled.
    """
    until = time.monotonic() + TURN
    while True:
        tracked.check()
        with store.transaction() as tx:
            rows = tx.rows("similar.next", task_id=command.task, limit=BATCH)
        try:
            found = _most_similar(command, rows, store, index)
        except (IndexUnavailable, IndexBehind):
            raise NotFinished(delay=INDEX_DELAY) from None
        result = _keep(command, rows, found, store)
        if not rows:
            return result
        if time.monotonic() > until:
            raise NotFinished()


@actor(queue="operators", read=True)
def list_page(request: GetSimilar, store: Store) -> SimilarPage:
    """What was found for an import, the most similar first. Raises: ImportNotFound."""
    asked = request.model_dump() | {"limit": request.limit + 1}
    with store.transaction() as tx:
        if tx.row("imports.mode", id=request.id) is None:
            raise ImportNotFound(id=str(request.id))
        rows = tx.rows("similar.page", **asked)
    more = len(rows) > request.limit
    return SimilarPage(
        pairs=tuple(SimilarEntry(**row) for row in rows[: request.limit]),
        next_offset=request.offset + request.limit if more else None,
    )


def _most_similar(
    command: CompareSelected, rows: list[Row], store: Store, index: IndexReader
) -> list[Row]:
    """`{entry_id, other_id, similarity}` of those rows that share anything with another entry."""
    texts = {row["entry_id"]: _text(row) for row in rows if row["title"] is not None}
    candidates = {
        entry_id: [
            UUID(other)
            for other in index.alike(text, CANDIDATES + 1, command.after)
            if other != str(entry_id)
        ]
        for entry_id, text in texts.items()
    }
    wanted = sorted({other for others in candidates.values() for other in others})
    with store.transaction() as tx:
        others = tx.rows("similar.texts", ids=wanted)
    known = {row["id"]: shingles(_text(row)) for row in others}
    found = []
    for entry_id, text in texts.items():
        own = shingles(text)
        compared = [(similarity(own, known[o]), o) for o in candidates[entry_id] if o in known]
        best, other = max(compared, default=(0.0, None))
        if best:
            found.append({"entry_id": entry_id, "other_id": other, "similarity": best})
    return found


def _text(row: Row) -> str:
    return "\n".join((row["title"], row["problem"], row["solution"]))


def _keep(
    command: CompareSelected, rows: list[Row], found: list[Row], store: Store
) -> SimilarFound:
    """Take the rows out of the selection and keep what was found; what the task has come to."""
    with store.transaction() as tx:
        tx.row("tasks.lock", id=command.task)
        before = tx.row("bulk.result", task_id=command.task)
        done = SimilarFound(**((before or {}).get("result") or {}))
        gone = tx.run("similar.done", task_id=command.task, places=[row["place"] for row in rows])
        if gone < len(rows):  # another turn has done them
            return done
        near = sum(row["similarity"] >= NEAR for row in found)
        done = SimilarFound(compared=done.compared + gone, near=done.near + near)
        if found:
            encoded = orjson.dumps(found).decode()
            tx.run("similar.store", import_id=command.import_id, found=encoded)
        result = Jsonb(done.model_dump(mode="json"))
        tx.run("bulk.set_result", task_id=command.task, result=result, count=gone)
    return done
