"""Many entries at once: read, changed, removed; and an import taken back."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import Contract, Write
from contracts.entries import Category, Entry, EntryChanges, ExternalId, Severity, Source, Tag

IDS_MAX = 10_000  # of one selection: they travel in one message
GET_MAX = 500  # entries of one reply


class GetEntries(Contract):
    """Read many entries at once."""

    ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=GET_MAX)]


class EntriesFound(Contract):
    """The entries in the order asked for, each once; `missing` are not there."""

    entries: tuple[Entry, ...]
    missing: tuple[UUID, ...] = ()


class EntrySelection(Contract):
    """Which entries: some conditions, all of which must hold, or explicitly every one."""

    ids: Annotated[tuple[UUID, ...], Field(max_length=IDS_MAX)] = ()
    external_ids: Annotated[tuple[ExternalId, ...], Field(max_length=IDS_MAX)] = ()
    category: Category | None = None
    tag: Tag | None = None
    severity: Severity | None = None
    source: Source | None = None
    #: None: archived ones too.
    archived: bool | None = False
    everything: bool = False

    @model_validator(mode="after")
    def _some(self) -> "EntrySelection":
        conditions = (self.ids, self.external_ids, self.category, self.tag, self.severity)
        if not any(conditions) and self.source is None and not self.everything:
            raise ValueError("name entries, give a condition, or say everything")
        if self.external_ids and self.source is None:
            raise ValueError("external ids belong to a source: name it")
        return self


class ChangeEntries(Write, EntrySelection):
    """Change, archive, restore or remove every entry of a selection, as a task."""

    action: Literal["update", "archive", "restore", "delete"]
    changes: EntryChanges | None = None

    @model_validator(mode="before")
    @classmethod
    def _fitting(cls, given: Any) -> Any:
        """Where nothing is said of archived ones: those for a restore, the others for the rest."""
        if isinstance(given, dict) and "archived" not in given:
            return {**given, "archived": given.get("action") == "restore"}
        return given

    @model_validator(mode="after")
    def _changes_something(self) -> "ChangeEntries":
        if (self.action == "update") != bool(self.changes and self.changes.model_fields_set):
            raise ValueError("an update, and only an update, needs changes")
        return self


class UndoImport(Write):
    """Take back an import: what it created is archived, what it changed is as it was before.

    Entries that were changed since are left alone, and named.
    """

    import_id: UUID


class SelectionCount(Contract):
    """How many entries would be changed. Of the ids and external ids that were named, `missing` are
    those of none, `archived` those of archived entries, which an update or delete leaves alone."""

    count: int
    missing: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()


class UndoCount(SelectionCount):
    """What an undo would come to; `later` are imports, the last first, to be taken back before it:
    they changed entries that it would pass over."""

    skipped: int = 0
    later: tuple[UUID, ...] = ()


class ChangeStarted(SelectionCount):
    """The selection is fixed; the task changes it."""

    task: UUID


class ChangeSelected(Contract):
    """One turn of a task that changes entries."""

    task: UUID
    action: Literal["update", "archive", "restore", "delete", "undo"]
    changes: EntryChanges | None = None
    by: str = ""


class EntriesChanged(Contract):
    """What a change came to; `position` is where searches see all of it."""

    changed: int
    unchanged: int
    skipped: int
    position: str | None = None


class GetSkips(Contract):
    """Read what a task passed over."""

    task: UUID
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class Skip(Contract):
    """One entry that a task passed over, and why."""

    entry_id: UUID
    code: str
    message: str


class SkipPage(Contract):
    """One page; `next_cursor` is None on the last."""

    skips: tuple[Skip, ...]
    next_cursor: UUID | None = None
