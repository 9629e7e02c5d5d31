"""The error tree: a stable code, an HTTP status, and whether asking again can help.

A class's docstring is its default message. `details` is JSON that helps the reader to act: over
HTTP members of the problem, so a message that means one writes its name alone.
"""

from functools import cache
from typing import Any, ClassVar


class CasebookError(Exception):
    """Something unexpected went wrong; the operation id finds it in the log."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    #: Asking again, unchanged, may succeed.
    retryable: ClassVar[bool] = False
    #: The ground is away for now: a write waits for it without using up an attempt.
    not_yet: ClassVar[bool] = False

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or _said(type(self).__doc__ or self.code)
        self.details = details
        super().__init__(self.message)

    def as_dict(self) -> dict[str, Any]:
        """`{code, message, details}`: the form in which an error travels in a reply."""
        return {"code": self.code, "message": self.message, "details": self.details}


@cache
def _said(text: str) -> str:
    return " ".join(text.split())


# --- the request


class ValidationFailed(CasebookError):
    """The request does not fit its contract; `errors` names each field."""

    code, status = "VALIDATION_FAILED", 422


class KeyReused(CasebookError):
    """This idempotency key was already used with another body."""

    code, status = "KEY_REUSED", 422


class Unauthorized(CasebookError):
    """A valid key is needed: send `Authorization: Bearer KEY`."""

    code, status = "UNAUTHORIZED", 401


class RateLimited(CasebookError):
    """This key sends more than it may; nothing of the request was taken. Send it again shortly."""

    code, status, retryable = "RATE_LIMITED", 429, True


class MessageTooLarge(CasebookError):
    """The request is larger than a message may be (1 MiB of JSON in UTF-8)."""

    code, status = "MESSAGE_TOO_LARGE", 413


class UnsupportedFormat(CasebookError):
    """The data is in no format that the importer reads (NDJSON, JSON, CSV, Markdown)."""

    code, status = "UNSUPPORTED_FORMAT", 415


class MappingInvalid(CasebookError):
    """The mapping names an entry field that does not exist, or gives one what it can't hold."""

    code, status = "MAPPING_INVALID", 422


class EncodingUnknown(CasebookError):
    """There is no encoding of this name."""

    code, status = "ENCODING_UNKNOWN", 422


class SourceUnreadable(CasebookError):
    """The source can't be read."""

    code, status = "SOURCE_UNREADABLE", 422


class SourceCutShort(CasebookError):
    """The source breaks off before its end; what was stored of it is kept, and the import stays
    open."""

    code, status = "SOURCE_CUT_SHORT", 422


class TooManyRejects(CasebookError):
    """More rows were rejected than the caller allows; what was stored is kept."""

    code, status = "TOO_MANY_REJECTS", 422


class FolderWatched(CasebookError):
    """Another process imports from this folder."""

    code, status = "FOLDER_WATCHED", 409


class FolderUnusable(CasebookError):
    """A folder that is watched can't be listed, or what is remembered of it can't be written."""

    code, status = "FOLDER_UNUSABLE", 507


class NotPutAway(CasebookError):
    """A file is imported and can't be moved to where it belongs."""

    code, status = "NOT_PUT_AWAY", 507


class RejectsUnwritable(CasebookError):
    """The file for rejected rows can't be written."""

    code, status = "REJECTS_UNWRITABLE", 507


# --- the knowledge base


class NotFound(CasebookError):
    """Nothing has this id."""

    code, status = "NOT_FOUND", 404


class EntryNotFound(NotFound):
    """No entry has this id."""

    code = "ENTRY_NOT_FOUND"


class ImportNotFound(NotFound):
    """No import has this id."""

    code = "IMPORT_NOT_FOUND"


class MappingNotFound(NotFound):
    """No mapping is saved under this name."""

    code = "MAPPING_NOT_FOUND"


class SynonymsNotFound(NotFound):
    """No synonyms are kept for this word in this category."""

    code = "SYNONYMS_NOT_FOUND"


class PinNotFound(NotFound):
    """Nothing is pinned to this query."""

    code = "PIN_NOT_FOUND"


class SavedSearchNotFound(NotFound):
    """No search is saved under this name."""

    code = "SAVED_SEARCH_NOT_FOUND"


class DeadLetterNotFound(NotFound):
    """No dead letter has this id; old ones are pruned after a time."""

    code = "DEAD_LETTER_NOT_FOUND"


class TaskNotFound(NotFound):
    """No task has this id; finished ones are pruned after a time."""

    code = "TASK_NOT_FOUND"


class AlertNotFound(NotFound):
    """No alert has this id; those that are over are pruned after a time."""

    code = "ALERT_NOT_FOUND"


class ErrorNotFound(NotFound):
    """No error has this fingerprint; those not seen for long are pruned."""

    code = "ERROR_NOT_FOUND"


class QueueUnknown(NotFound):
    """No queue has this name; `queues` lists those that exist."""

    code = "QUEUE_NOT_FOUND"


class QueueNotDrained(CasebookError):
    """Messages were left in the queue when the time was over; `queue` tells which."""

    code, status, retryable = "QUEUE_NOT_DRAINED", 409, True


class EntryArchived(CasebookError):
    """The entry is archived: restore it first, or say that archived ones are meant."""

    code, status = "ENTRY_ARCHIVED", 409


class DuplicateEntry(CasebookError):
    """Another entry holds the same text; `entry_id` names it."""

    code, status = "DUPLICATE_ENTRY", 409


class VersionConflict(CasebookError):
    """The entry has changed since you read it; `current_version` is what it is now."""

    code, status = "VERSION_CONFLICT", 409


class ChunkChanged(CasebookError):
    """This chunk of the import was done before with other rows: the file has changed."""

    code, status = "CHUNK_CHANGED", 409


class ImportFinished(CasebookError):
    """This import is finished; start a new one."""

    code, status = "IMPORT_FINISHED", 409


class ImportOtherwise(CasebookError):
    """This import was begun with other options; leave them out to go on with it."""

    code, status = "IMPORT_OTHERWISE", 409


class ImportCanceled(CasebookError):
    """This import was canceled; what it stored is kept. Resume it to go on."""

    code, status = "IMPORT_CANCELED", 409


class ImportUndone(CasebookError):
    """This import was taken back: import the files again, without resume."""

    code, status = "IMPORT_UNDONE", 409

    @classmethod
    def by(cls, task: object, import_id: object) -> "ImportUndone":
        """The error that names the task which took the import back."""
        said = f"Task {task} took this import back: import the files again, without resume."
        return cls(said, id=str(import_id), task=str(task))


class SemanticOff(CasebookError):
    """Search by meaning is not installed here: `pip install 'casebook[semantic]'` for the workers,
    then `casebook semantic enable`. Words and codes are found without it (mode=lexical)."""

    code, status = "SEMANTIC_OFF", 422


class VectorMissing(CasebookError):
    """PostgreSQL has no `vector` extension for us: install pgvector on its server, run `create
    extension vector` in this database as a superuser, then `casebook semantic enable` again.
    Nothing was changed; words and codes are found without it."""

    code, status = "VECTOR_MISSING", 409


class EmbeddingRefused(CasebookError):
    """The embedding endpoint refuses what we send; `said` is its answer. Look at
    CASEBOOK_EMBEDDING_URL, CASEBOOK_EMBEDDING_MODEL and CASEBOOK_EMBEDDING_KEY."""

    code, status = "EMBEDDING_REFUSED", 502


class ReplaceTooMuch(CasebookError):
    """The replace would archive more of its source than it may; nothing was changed."""

    code, status = "REPLACE_TOO_MUCH", 409


class UndoTooLate(CasebookError):
    """An import can be taken back for 24 hours, and what was taken back stays so."""

    code, status = "UNDO_TOO_LATE", 409


class EffectDone(CasebookError):
    """The message took effect after all: there is nothing to edit or to do again."""

    code, status = "EFFECT_DONE", 409


class LetterNotDead(CasebookError):
    """The letter is not among the dead any more; `state` says where it is."""

    code, status = "LETTER_NOT_DEAD", 409


class LetterUnreadable(CasebookError):
    """The message can't be read or no actor of this release takes it: it can only be discarded."""

    code, status = "LETTER_UNREADABLE", 422


class AlertNotFiring(CasebookError):
    """Only an alert that is firing can be acknowledged; `state` says what it is."""

    code, status = "ALERT_NOT_FIRING", 409


class SavedSearchRefused(CasebookError):
    """As many searches are saved as may be (1,000); nothing was saved. Remove one first."""

    code, status = "SAVED_SEARCH_REFUSED", 409


class TaskCanceled(CasebookError):
    """The task was canceled while this ran."""

    code, status = "TASK_CANCELED", 409


class TaskState(CasebookError):
    """The task is in no state for that; `state` says in which."""

    code, status = "TASK_STATE", 409


# --- backups


class BackupDamaged(CasebookError):
    """The file is no backup of Casebook, was cut short, or was changed; nothing was touched."""

    code, status = "BACKUP_DAMAGED", 422


class BackupOfLaterRelease(CasebookError):
    """The backup was made by a later release than this one; nothing was touched."""

    code, status = "BACKUP_OF_LATER_RELEASE", 409


class LiveData(CasebookError):
    """The place holds data already; nothing was touched."""

    code, status = "LIVE_DATA", 409


class IndexBackupUnwritable(CasebookError):
    """The index can't be copied to there, and nothing of the copy was left; `reason` says why."""

    code, status = "INDEX_BACKUP_UNWRITABLE", 507


class IndexBackupUnusable(CasebookError):
    """This backup of an index can't be used here, and the index is as it was; `reason` says
    why. `casebook index rebuild` builds the index from the database instead."""

    code, status = "INDEX_BACKUP_UNUSABLE", 409


# --- the ground


class Unavailable(CasebookError):
    """A part of the system is away; try again shortly."""

    code, status, retryable = "UNAVAILABLE", 503, True


class CircuitOpen(Unavailable):
    """What this needs has failed again and again, and is left alone until `retry_after` (s)
    is over; then one attempt is made."""

    code, not_yet = "CIRCUIT_OPEN", True


class EmbeddingUnavailable(Unavailable):
    """The embedding endpoint can't be reached; what needs it waits. mode=lexical does not."""

    code, not_yet = "EMBEDDING_UNAVAILABLE", True


class QueueUnavailable(Unavailable):
    """Redis can't be reached; nothing was lost, and asking again with the same key is safe."""

    code, not_yet = "QUEUE_UNAVAILABLE", True


class QueueFull(Unavailable):
    """Redis is at its memory limit and takes no new messages; nothing was enqueued."""

    code = "QUEUE_FULL"


class Overloaded(Unavailable):
    """More is asked than can be answered soon; nothing of the request was taken. Of the queue
    `queue`, `waiting` requests are unanswered and wait `delay_ms`; come back in
    `retry_after` seconds."""

    code = "OVERLOADED"


class DatabaseUnavailable(Unavailable):
    """PostgreSQL can't be reached; writes wait in the queue until it is back."""

    code, not_yet = "DATABASE_UNAVAILABLE", True


class DatabaseBusy(Unavailable):
    """PostgreSQL refused the transaction for now (deadlock, lock or connection limit)."""

    code, not_yet = "DATABASE_BUSY", True


class SchemaMissing(Unavailable):
    """The database has not been migrated to this version: run `casebook migrate`."""

    code, not_yet = "SCHEMA_MISSING", True


class NotTold(Unavailable):
    """An alert could not be sent; `channel` and `reason` say where and why."""

    code = "NOT_TOLD"


class ChannelResting(NotTold):
    """This channel has failed again and again, and is left alone until `retry_after` (s) is
    over; what it would tell waits."""

    code, not_yet = "CHANNEL_RESTING", True


class IndexUnavailable(Unavailable):
    """The search index is being built; ask again shortly."""

    code = "INDEX_UNAVAILABLE"


class IndexBehind(Unavailable):
    """The index has not yet reached the position that the search asked to see."""

    code = "INDEX_BEHIND"


class NotFinished(Unavailable):
    """This operation goes on in its next turn."""

    code, not_yet = "NOT_FINISHED", True

    def __init__(self, message: str | None = None, *, delay: int = 0, **details: Any) -> None:
        super().__init__(message, **details)
        self.delay = delay  # ms until that turn


class DeadlineExceeded(CasebookError):
    """The request waited longer than its caller; it was dropped unanswered."""

    code, status, retryable = "DEADLINE_EXCEEDED", 504, True


class NoReply(CasebookError):
    """No answer came in time; the request may still be done later."""

    code, status, retryable = "NO_REPLY", 504, True


class WriteWaiting(NoReply):
    """The write is kept in its queue and done as soon as PostgreSQL is back."""

    code = "WRITE_WAITING"


class ReplyTooLarge(CasebookError):
    """The answer is larger than a reply may be (4 MiB); ask for fewer rows."""

    code, status = "REPLY_TOO_LARGE", 413


def _tree(cls: type[CasebookError]) -> dict[str, type[CasebookError]]:
    found = {cls.code: cls}
    for child in cls.__subclasses__():
        found |= _tree(child)
    return found


def from_dict(error: dict[str, Any]) -> CasebookError:
    """The error that `as_dict` described; an unknown code becomes a plain CasebookError."""
    cls = _tree(CasebookError).get(error.get("code", ""), CasebookError)
    return cls(error.get("message"), **error.get("details", {}))
