"""Whether an import can be taken back, or once more what an undo of it has left."""

from datetime import UTC
from uuid import UUID

from contracts.errors import ImportNotFound, UndoTooLate
from storage.postgres.store import Transaction

UNDO_HOURS = 24


def undo_before(tx: Transaction, import_id: UUID) -> UUID | None:
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
