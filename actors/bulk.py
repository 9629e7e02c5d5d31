"""Many entries changed as one task: a fixed selection, worked off in turns, each done once."""

import time
from datetime import UTC
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from actors import entries, tracking
from actors.actor import actor
from actors.broker.broker import StreamsBroker
from actors.dead_letters import audit
from actors.tracking import Tracked
from contracts.base import new_id
from contracts.bulk import (
    ChangeEntries,
    ChangeSelected,
    ChangeStarted,
    EntriesChanged,
    EntrySelection,
    GetSkips,
    SelectionCount,
    Skip,
    SkipPage,
    UndoCount,
    UndoImport,
)
from contracts.entries import ChangeEntryState, EntryChanges, KeptFields, UpdateEntry
from contracts.errors import (
    CasebookError,
    EntryArchived,
    EntryNotFound,
    ImportNotFound,
    NotFinished,
    TaskNotFound,
    UndoTooLate,
    VersionConflict,
)
from contracts.tasks import Member, Step
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction

BATCH = 100  # entries a transaction: a long one would hold the change feed back
TURN = 1.0  # seconds that a task works before others on its queue have their turn
UNDO_HOURS = 24
LATER = 10  # imports that are named

CONDITIONS = ("ids", "external_ids", "category", "tag", "severity", "source", "archived")


def where(request: EntrySelection) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The conditions of a selection, by the names of their SQL, and their parameters."""
    given = {name: getattr(request, name) for name in CONDITIONS}
    wanted = {name: value for name, value in given.items() if value not in (None, ())}
    parameters = {
        name: list(value) if isinstance(value, tuple) else value for name, value in wanted.items()
    }
    return tuple(wanted), parameters


@actor(queue="operators", read=True)
def count(request: ChangeEntries, store: Store) -> SelectionCount:
    """How many entries `start` would change; nothing is changed."""
    names, parameters = where(request)
    with store.transaction() as tx:
        row = tx.row("bulk.count", names, **parameters)
        missing = tuple(one["name"] for one in _missing(tx, request))
        archived = _names(request, _left(tx, request) if _refuses_archived(request) else [])
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
        set_aside = _set_aside(tx, task_id, command)
        begun = _begin(tx, task_id, command.action, command.by, found, command.changes)
        return begun.model_copy(update=set_aside)

    started = once(store, "bulk.start", command, ChangeStarted, effect)
    tracking.send_due(store, broker, started.task)
    return started


@actor(queue="operators", read=True)
def count_undo(request: UndoImport, store: Store) -> UndoCount:
    """How many entries `undo` would change, and pass over. Raises: ImportNotFound, UndoTooLate."""
    with store.transaction() as tx:
        before = _undo_before(tx, request.import_id)
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
        before = _undo_before(tx, command.import_id)
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


def _missing(tx: Transaction, selection: EntrySelection) -> list[Row]:
    """Each id (`is_id`) and external id that a selection names, and no entry has: its `name`."""
    if not selection.ids and not selection.external_ids:
        return []
    names = {"ids": list(selection.ids), "external_ids": list(selection.external_ids)}
    return tx.rows("bulk.missing", source=selection.source, **names)


def _refuses_archived(command: ChangeEntries) -> bool:
    return command.action in ("update", "delete")


def _left(tx: Transaction, command: ChangeEntries) -> list[Row]:
    """The entries that a selection names, and leaves alone because they are archived; of a restore
    those that are not."""
    fits = command.archived is (command.action == "restore")
    if not fits or not (command.ids or command.external_ids):
        return []
    names, parameters = where(command.model_copy(update={"archived": not command.archived}))
    return tx.rows("bulk.named", names, **parameters)


def _names(selection: EntrySelection, rows: list[Row]) -> tuple[str, ...]:
    """These entries as the selection calls them."""
    name = "id" if selection.ids else "external_id"
    return tuple(str(row[name]) for row in rows)


def _set_aside(
    tx: Transaction, task_id: UUID, command: ChangeEntries
) -> dict[str, tuple[str, ...]]:
    """Count what is named and not changed, and note what is skipped; its names for the answer.

    An external id of no entry has no place among a task's skips. What is archived already, or
    restored, is as it should be.
    """
    missing, left = _missing(tx, command), _left(tx, command)
    archived = left if _refuses_archived(command) else []
    nobody = [UUID(one["name"]) for one in missing if one["is_id"]]
    for error, ids in (
        (EntryNotFound(), nobody),
        (EntryArchived(), [row["id"] for row in archived]),
    ):
        skip = {"code": error.code, "message": error.message}
        tx.run("bulk.skip_many", task_id=task_id, ids=ids, **skip)
    if missing or left:
        unchanged, skipped = len(left) - len(archived), len(missing) + len(archived)
        result = EntriesChanged(changed=0, unchanged=unchanged, skipped=skipped)
        encoded = Jsonb(result.model_dump(mode="json"))
        tx.run("bulk.set_result", task_id=task_id, result=encoded, count=0)
    return {
        "missing": tuple(one["name"] for one in missing),
        "archived": _names(command, archived),
    }


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


def _undo_before(tx: Transaction, import_id: UUID) -> UUID | None:
    """The undo of an import that has left something; None where there was none.

    Raises: ImportNotFound, UndoTooLate.
    """
    row = tx.row("bulk.import_to_undo", id=import_id, hours=UNDO_HOURS)
    if row is None:
        raise ImportNotFound(id=str(import_id))
    if row["undone_by"] is not None:
        _refuse_twice(tx, row["undone_by"])
    if row["too_old"]:
        what = "began" if row["finished_at"] is None else "ended"
        at = (row["finished_at"] or row["started_at"]).astimezone(UTC).isoformat(timespec="seconds")
        raise UndoTooLate(
            f"An import can be taken back for {UNDO_HOURS} hours, and this one {what} at {at}.",
            **{f"{what}_at": at},
        )
    before: UUID | None = row["undone_by"]
    return before


def _refuse_twice(tx: Transaction, task: UUID) -> None:
    """Raises: UndoTooLate unless that undo has ended, and left something."""
    row = tx.row("bulk.undo_before", id=task)
    status = "succeeded" if row is None else row["status"]
    if status in ("canceled", "failed"):
        said = f"Task {task} has begun to take it back: `casebook tasks resume {task}` goes on."
    elif status != "succeeded":
        said = f"Task {task} takes it back already."
    elif row is None or not row["left_some"]:
        said = f"Task {task} took it back."
    else:
        return
    raise UndoTooLate(said, task=str(task))


def _batch(command: ChangeSelected, tx: Transaction) -> tuple[EntriesChanged, bool]:
    """Change one batch; what the task has come to, and whether there may be more."""
    before = tx.row("bulk.result", task_id=command.task)
    assert before is not None
    done = EntriesChanged(**(before["result"] or {"changed": 0, "unchanged": 0, "skipped": 0}))
    rows = tx.rows("bulk.take", task_id=command.task, limit=BATCH)
    counts, position = {"changed": 0, "unchanged": 0, "skipped": 0}, done.position
    for row in sorted(rows, key=lambda one: one["place"]):
        try:
            at = _change(command, tx, row)
        except CasebookError as error:
            if error.retryable:
                raise
            skip = {"code": error.code, "message": error.message}
            tx.run("bulk.skip", task_id=command.task, entry_id=row["entry_id"], **skip)
            counts["skipped"] += 1
        else:
            counts["changed" if at else "unchanged"] += 1
            position = at or position
    sums = {name: getattr(done, name) + counts[name] for name in counts}
    result = EntriesChanged(**sums, position=position)
    encoded = Jsonb(result.model_dump(mode="json"))
    tx.run("bulk.set_result", task_id=command.task, result=encoded, count=len(rows))
    return result, bool(rows)


def _change(command: ChangeSelected, tx: Transaction, row: Row) -> str | None:
    """Change one entry; its position in the feed, or None where nothing had to be changed.

    Raises: EntryNotFound, VersionConflict, DuplicateEntry, ValidationFailed.
    """
    entry_id = row["entry_id"]
    now = tx.row("entries.get_for_update", id=entry_id)
    if now is None:
        raise EntryNotFound(id=str(entry_id))
    if command.action == "undo":
        return _undo(command, tx, row, now)
    if command.action == "update":
        assert command.changes is not None
        return _update(command, tx, now, command.changes)
    if command.action == "delete":
        return entries.apply_delete(ChangeEntryState(id=entry_id, by=command.by), tx).position
    return _set_archived(command, tx, now, command.action == "archive")


def _update(
    command: ChangeSelected, tx: Transaction, now: Row, changes: EntryChanges
) -> str | None:
    update = UpdateEntry(id=now["id"], changes=changes, by=command.by)
    updated = entries.apply_update(update, tx)
    return updated.position if updated.entry.version != now["version"] else None


def _set_archived(
    command: ChangeSelected, tx: Transaction, now: Row, archived: bool, *, withdrawn: bool = False
) -> str | None:
    if now["archived"] == archived:
        return None
    state = ChangeEntryState(id=now["id"], by=command.by)
    return entries.apply_archived(state, archived, tx, withdrawn=withdrawn).position


def _undo(command: ChangeSelected, tx: Transaction, row: Row, now: Row) -> str | None:
    """Take back an import's changes of one entry.

    Raises: VersionConflict where someone has changed it since.
    """
    if now["version"] != row["last"] and not _as_it_left(tx, now, row["last"]):
        raise VersionConflict(
            f"It was changed since: version {now['version']} by {now['updated_by'] or 'someone'}.",
            current_version=now["version"],
        )
    if row["first"] == 1:
        return _set_archived(command, tx, now, True, withdrawn=True)
    before = tx.row("bulk.version", id=row["entry_id"], version=row["first"] - 1)
    if before is None:
        raise VersionConflict("The state before is not kept.")
    archived, withdrawn = before.pop("archived"), before.pop("withdrawn")
    stored = entries.apply_fields(now, KeptFields(**before), command.by, tx)
    updated = stored.position if stored.entry.version != now["version"] else None
    if archived is None:  # a state from before it was noted
        return updated
    return _set_archived(command, tx, now, archived, withdrawn=withdrawn) or updated


def _as_it_left(tx: Transaction, now: Row, version: int) -> bool:
    """Whether an entry is as that version was: what came later has been taken back."""
    then = tx.row("bulk.version", id=now["id"], version=version)
    return then is not None and all(now[name] == value for name, value in then.items())
