"""Many entries changed as one task: a fixed selection, worked off in turns, each done once."""

import time
from typing import Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from actors import tracking
from actors.actor import actor
from actors.broker.broker import StreamsBroker
from actors.changing import change_one
from actors.dead_letters import audit
from actors.selecting import left_alone, missing_of, names_of, refuses_archived, set_aside, where
from actors.tracking import Tracked
from actors.undo_batch import undo_many
from actors.undoing import undo_before
from contracts.base import new_id
from contracts.bulk import (
    ChangeEntries,
    ChangeSelected,
    ChangeStarted,
    EntriesChanged,
    GetSkips,
    SelectionCount,
    Skip,
    SkipPage,
    UndoCount,
    UndoImport,
)
from contracts.entries import EntryChanges
from contracts.errors import CasebookError, NotFinished, TaskNotFound
from contracts.tasks import Member, Step
from storage.postgres.effects import once
from storage.postgres.store import Store, Transaction

BATCH = 100  # entries a transaction: a long one would hold the change feed back
TURN = 1.0  # seconds that a task works before others on its queue have their turn
LATER = 10  # imports that are named


@actor(queue="operators", read=True)
def count(request: ChangeEntries, store: Store) -> SelectionCount:
    """How many entries `start` would change; nothing is changed."""
    names, parameters = where(request)
    with store.transaction() as tx:
        row = tx.row("bulk.count", names, **parameters)
        missing = tuple(one["name"] for one in missing_of(tx, request))
        archived = names_of(request, left_alone(tx, request) if refuses_archived(request) else [])
    assert row is not None
    return SelectionCount(count=row["count"], missing=missing, archived=archived)


@actor(queue="operators")
def start(command: ChangeEntries, store: Store, broker: StreamsBroker) -> ChangeStarted:
    """Fix the selection and begin to change it; what it names and is not there is skipped."""
    names, parameters = where(command)

    def effect(tx: Transaction) -> ChangeStarted:
        task_id = new_id()
        asked = command.model_dump(mode="json", exclude={"key", "by"}, exclude_defaults=True)
        tracking.open_task(tx, task_id, command.action, command.by, details=asked)
        found = tx.run("bulk.select", names, task_id=task_id, **parameters)
        audit(tx, command.by, f"entries.{command.action}", str(task_id), asked | {"count": found})
        aside = set_aside(tx, task_id, command)
        begun = _begin(tx, task_id, command.action, command.by, found, command.changes)
        return begun.model_copy(update=aside)

    started = once(store, "bulk.start", command, ChangeStarted, effect)
    tracking.send_due(store, broker, started.task)
    return started


@actor(queue="operators", read=True)
def count_undo(request: UndoImport, store: Store) -> UndoCount:
    """How many entries `undo` would change, and pass over. Raises: ImportNotFound, UndoTooLate."""
    with store.transaction() as tx:
        before = undo_before(tx, request.import_id)
        row = tx.row("bulk.count_import", id=request.import_id, before=before, limit=LATER)
    assert row is not None
    return UndoCount(count=row["count"], skipped=row["skipped"], later=tuple(row["later"]))


@actor(queue="operators")
def undo(command: UndoImport, store: Store, broker: StreamsBroker) -> ChangeStarted:
    """Begin to take an import back; one that runs takes no further chunks.

    Where an undo has passed something over, another one looks at that again.
    Raises: ImportNotFound, UndoTooLate.
    """

    def effect(tx: Transaction) -> ChangeStarted:
        before = undo_before(tx, command.import_id)
        tx.row("tasks.cancel", id=command.import_id)
        task_id = new_id()
        details = {"import": str(command.import_id)}
        tracking.open_task(tx, task_id, "undo", command.by, details=details)
        tx.run("bulk.undone", id=command.import_id, task_id=task_id)
        place = {"id": command.import_id, "before": before}
        found = tx.run("bulk.select_import", task_id=task_id, **place)
        audit(tx, command.by, "imports.undo", str(command.import_id), {"count": found})
        return _begin(tx, task_id, "undo", command.by, found, None)

    started = once(store, "bulk.undo", command, ChangeStarted, effect)
    tracking.send_due(store, broker, started.task)
    return started


@actor(queue="upkeep")
def change(command: ChangeSelected, store: Store, tracked: Tracked) -> EntriesChanged:
    """Change the next of the selection for one turn, then ask for another until all are changed.

    What was changed leaves the selection in the same transaction: it is changed once. An entry
    that can't be changed is passed over, and named. Raises: NotFinished, TaskCanceled.
    """
    until = time.monotonic() + TURN
    while True:
        tracked.check()
        with store.transaction() as tx:
            tx.row("tasks.lock", id=command.task)
            result, more = _batch(command, tx)
        if not more:
            return result
        if time.monotonic() > until:
            raise NotFinished()


@actor(queue="operators", read=True)
def skips(request: GetSkips, store: Store) -> SkipPage:
    """What a task passed over, a page at a time. Raises: TaskNotFound."""
    limits = {"cursor": request.cursor, "limit": request.limit + 1}
    with store.transaction() as tx:
        if tx.row("tasks.status", id=request.task) is None:
            raise TaskNotFound(id=str(request.task))
        rows = tx.rows("bulk.skips", task_id=request.task, **limits)
    found = tuple(Skip(**row) for row in rows[: request.limit])
    more = len(rows) > request.limit
    return SkipPage(skips=found, next_cursor=found[-1].entry_id if more else None)


def _begin(
    tx: Transaction,
    task_id: UUID,
    action: Literal["update", "archive", "restore", "delete", "undo"],
    by: str,
    found: int,
    changes: EntryChanges | None,
) -> ChangeStarted:
    tx.run("tasks.progress", id=task_id, done=0, total=found)
    request = ChangeSelected(task=task_id, action=action, changes=changes, by=by)
    member = Member(actor=change.name, request=request.model_dump(mode="json"))
    tracking.add_steps(tx, task_id, [Step(name=action, members=(member,))])
    tracking.advance(tx, task_id)
    return ChangeStarted(task=task_id, count=found)


def _batch(command: ChangeSelected, tx: Transaction) -> tuple[EntriesChanged, bool]:
    """Change one batch; what the task has come to, and whether there may be more."""
    before = tx.row("bulk.result", task_id=command.task)
    assert before is not None
    done = EntriesChanged(**(before["result"] or {"changed": 0, "unchanged": 0, "skipped": 0}))
    rows = tx.rows("bulk.take", task_id=command.task, limit=BATCH)
    counts, position = {"changed": 0, "unchanged": 0, "skipped": 0}, done.position
    undone = undo_many(command, tx, rows) if command.action == "undo" else {}
    for row in sorted(rows, key=lambda one: one["place"]):
        entry_id = row["entry_id"]
        try:
            at = undone[entry_id] if entry_id in undone else change_one(command, tx, row)
        except CasebookError as error:
            if error.retryable:
                raise
            skip = {"code": error.code, "message": error.message}
            tx.run("bulk.skip", task_id=command.task, entry_id=entry_id, **skip)
            counts["skipped"] += 1
        else:
            counts["changed" if at else "unchanged"] += 1
            position = at or position
    sums = {name: getattr(done, name) + counts[name] for name in counts}
    result = EntriesChanged(**sums, position=position)
    encoded = Jsonb(result.model_dump(mode="json"))
    tx.run("bulk.set_result", task_id=command.task, result=encoded, count=len(rows))
    return result, bool(rows)
