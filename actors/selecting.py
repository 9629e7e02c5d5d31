"""Which entries a bulk change is about, and those of them that it leaves alone."""

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from contracts.bulk import ChangeEntries, EntriesChanged, EntrySelection
from contracts.errors import EntryArchived, EntryNotFound
from storage.postgres.store import Row, Transaction

CONDITIONS = ("ids", "external_ids", "category", "tag", "severity", "source", "archived")


def where(request: EntrySelection) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The conditions of a selection, by the names of their SQL, and their parameters."""
    given = {name: getattr(request, name) for name in CONDITIONS}
    wanted = {name: value for name, value in given.items() if value not in (None, ())}
    parameters = {
        name: list(value) if isinstance(value, tuple) else value for name, value in wanted.items()
    }
    return tuple(wanted), parameters


def missing_of(tx: Transaction, selection: EntrySelection) -> list[Row]:
    """Each id (`is_id`) and external id that a selection names, and no entry has: its `name`."""
    if not selection.ids and not selection.external_ids:
        return []
    names = {"ids": list(selection.ids), "external_ids": list(selection.external_ids)}
    return tx.rows("bulk.missing", source=selection.source, **names)


def refuses_archived(command: ChangeEntries) -> bool:
    """Whether an archived entry can't be changed so."""
    return command.action in ("update", "delete")


def left_alone(tx: Transaction, command: ChangeEntries) -> list[Row]:
    """The entries that a selection names, and leaves alone because they are archived; of a restore
    those that are not."""
    fits = command.archived is (command.action == "restore")
    if not fits or not (command.ids or command.external_ids):
        return []
    names, parameters = where(command.model_copy(update={"archived": not command.archived}))
    return tx.rows("bulk.named", names, **parameters)


def names_of(selection: EntrySelection, rows: list[Row]) -> tuple[str, ...]:
    """These entries as the selection calls them."""
    name = "id" if selection.ids else "external_id"
    return tuple(str(row[name]) for row in rows)


def set_aside(tx: Transaction, task_id: UUID, command: ChangeEntries) -> dict[str, tuple[str, ...]]:
    """Count what is named and not changed, and note what is skipped; its names for the answer.

    An external id of no entry has no place among a task's skips. What is archived already, or
    restored, is as it should be.
    """
    missing, left = missing_of(tx, command), left_alone(tx, command)
    archived = left if refuses_archived(command) else []
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
        "archived": names_of(command, archived),
    }
