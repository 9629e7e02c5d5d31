"""What becomes of one entry of a bulk change."""

from actors import entries
from contracts.bulk import ChangeSelected
from contracts.entries import ChangeEntryState, EntryChanges, KeptFields, UpdateEntry
from contracts.errors import EntryNotFound, VersionConflict
from storage.postgres.store import Row, Transaction


def change_one(command: ChangeSelected, tx: Transaction, row: Row) -> str | None:
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
