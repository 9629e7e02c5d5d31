"""Bulk imports: chunks of rows in, a report that adds up out."""

import contextlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from contracts.base import Contract, Offset, Text, Write, new_id
from contracts.entries import (
    Custom,
    EntryFields,
    ExternalId,
    KeptCustom,
    Severity,
    Source,
    Tags,
)
from contracts.links import Links, id_text
from contracts.tasks import TaskError

CHUNK_ROWS = 500
CHUNK_BYTES = 256 * 1024  # of JSON in UTF-8; one larger row may travel alone
ROW_BYTES = 900 * 1024  # of JSON in UTF-8: with its envelope it still fits one message
NOTES_MAX = 100  # kept of an import
FILES_MAX = 1000  # names of files that are kept of an import
FILES_BYTES = 256 * 1024  # of these names in UTF-8: they travel in one message
REJECT_ROW_BYTES = 2048  # what is kept of a rejected row


class OnLong(StrEnum):
    """What to do with a row whose texts are over the limits."""

    REJECT = "reject"
    TRUNCATE = "truncate"


class ImportMode(StrEnum):
    """What an import does with rows that name an entry of its source."""

    UPSERT = "upsert"  # changes the entry
    CREATE = "create"  # rejects the row, unless the entry is the same already
    REPLACE = "replace"  # changes it, and archives what the source has beside the file's rows


class Duplicates(StrEnum):
    """What to do with a row whose text another entry holds."""

    AUTO = "auto"  # kept if the row has an id of its own, else skipped
    SKIP = "skip"
    REJECT = "reject"
    KEEP = "keep"  # but entries without an id of their own can't share a text


REMOVED_MAX = 20.0  # percent of a source's entries that a replace archives without being told to


class Reject(Contract):
    """A row that was not taken, and why. `line` counts from 1 in its file."""

    file: Text = ""
    line: int
    field: Text = ""
    code: str
    message: Text
    row: Text = ""


def _split_tags(value: Any) -> Any:
    """CSV has one text for all tags: their JSON where one has a comma itself."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            with contextlib.suppress(orjson.JSONDecodeError):
                tags = orjson.loads(value)
                if all(tag is None or isinstance(tag, str) for tag in tags):
                    return tags
        return [tag for tag in (part.strip() for part in value.split(",")) if tag]
    return value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _json_text(value: Any) -> Any:
    """CSV has the JSON of the custom fields as text."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error}") from None


class ImportedEntry(EntryFields):
    """An entry as sources write it; `external_id` is its name there.

    Its `source` counts where the import has none; `related` names entries of the same one.
    """

    external_id: Annotated[ExternalId | None, BeforeValidator(id_text)] = None
    source: Source = ""
    related: Links = ()
    tags: Annotated[Tags, BeforeValidator(_split_tags)] = ()
    severity: Annotated[Severity, BeforeValidator(_lower)] = Severity.MEDIUM
    custom: Annotated[Custom, BeforeValidator(_json_text)] = Field(default_factory=dict)

    @field_validator("related")
    @classmethod
    def _among_others(cls, related: Links, info: ValidationInfo) -> Links:
        own = info.data.get("external_id")
        if related and own is None:
            raise ValueError("only an entry with an external_id can be related to others")
        if any(link.to == own for link in related):
            raise ValueError("an entry can't be related to itself")
        return related


class ExportedEntry(ImportedEntry):
    """What is kept, as a row: custom fields go out as they are, also those that none may bring."""

    custom: KeptCustom = Field(default_factory=dict)


class ImportRow(Contract):
    """A row as the client read and mapped it; validated only by the worker."""

    file: Text = ""
    line: int
    data: dict[str, Any]


class StartImport(Write):
    """Open an import."""

    source: Source = ""
    files: Annotated[tuple[Text, ...], Field(max_length=FILES_MAX)] = ()
    #: How many there are, where that is more than are named.
    file_count: Annotated[int, Field(ge=0)] = 0
    mode: ImportMode = ImportMode.UPSERT
    duplicates: Duplicates = Duplicates.AUTO

    @model_validator(mode="after")
    def _of_a_source(self) -> "StartImport":
        if self.mode is ImportMode.REPLACE and not self.source:
            raise ValueError("a replace archives what its source has beside the file: name it")
        return self


class ImportStarted(Contract):
    """The import is open for chunks."""

    id: UUID


class ImportChunk(Contract):
    """Rows as they were read, and those that the client itself could not read.

    `(import_id, chunk)` is the key of its effect, `digest` that of its content.
    """

    import_id: UUID
    chunk: Annotated[int, Field(ge=0)]
    digest: Annotated[str, Field(max_length=64)]
    rows: tuple[ImportRow, ...] = ()
    rejects: tuple[Reject, ...] = ()
    #: The external ids of those of the `rejects` that have one.
    named: tuple[str, ...] = ()
    on_long: OnLong = OnLong.REJECT
    by: str = ""

    def renewed(self) -> Self:
        """These rows in place of the file's: they are refused where the file's were stored."""
        return self.model_copy(update={"digest": str(new_id())})


class ImportCounts(Contract):
    """Rows: received = created + updated + unchanged + rejected."""

    received: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: "ImportCounts") -> "ImportCounts":
        return ImportCounts(
            received=self.received + other.received,
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            rejected=self.rejected + other.rejected,
        )


class ChunkDone(Contract):
    """What one chunk came to; `position` is None where it changed nothing."""

    counts: ImportCounts
    position: str | None = None
    #: Without their rows, which whoever sent the chunk has.
    rejects: tuple[Reject, ...] = ()


class FinishImport(Contract):
    """Close an import of this many chunks. A replace takes effect now."""

    import_id: UUID
    chunks: Annotated[int, Field(ge=0)]
    #: Percent of the source's entries that a replace may archive.
    max_removed: Annotated[float, Field(ge=0, le=100)] = REMOVED_MAX
    #: What was assumed of the sources: an encoding that nothing declared.
    notes: Annotated[tuple[Text, ...], Field(max_length=NOTES_MAX)] = ()


class StopImport(Write):
    """Say why an import does not go on; it stays open."""

    import_id: UUID
    error: TaskError


class CheckChunk(Contract):
    """Rows that would be imported; nothing is written."""

    source: Source = ""
    mode: ImportMode = ImportMode.UPSERT
    duplicates: Duplicates = Duplicates.AUTO
    rows: tuple[ImportRow, ...] = ()
    rejects: tuple[Reject, ...] = ()
    named: tuple[str, ...] = ()  # as of an ImportChunk
    on_long: OnLong = OnLong.REJECT


class ChunkChecked(Contract):
    """What a chunk would come to if nothing else were in its file."""

    counts: ImportCounts
    rejects: tuple[Reject, ...] = ()
    #: Of a replace: entries of the source that are not archived, and how many of them rows name.
    live: int = 0
    named: int = 0
    #: Whether a row was rejected of which nobody knows the entry, so that a replace archives none.
    unsure: bool = False


class ImportCheck(Contract):
    """What an import would do, counted chunk by chunk: rows of different chunks that are about one
    entry or have one text are not seen as such."""

    status: str = "dry run"
    source: str = ""
    mode: ImportMode = ImportMode.UPSERT
    counts: ImportCounts
    #: Entries of the source that a replace would archive.
    archived: int = 0
    #: What the import would end with.
    error: TaskError | None = None
    notes: tuple[str, ...] = ()
    #: The first of them.
    rejects: tuple[Reject, ...] = ()


class GetImport(Contract):
    """Read an import's state and its first rejects."""

    id: UUID
    #: Rejects to return, and how many to pass over.
    limit: Annotated[int, Field(ge=0, le=500)] = 20
    offset: Offset = 0


class GetRejects(Contract):
    """Read an import's rejects, a page at a time, in the order of its chunks."""

    id: UUID
    cursor: Annotated[str, Field(max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class RejectPage(Contract):
    """One page; `next_cursor` is None on the last."""

    rejects: tuple[Reject, ...] = ()
    next_cursor: str | None = None


class ImportStatus(StrEnum):
    """Whether chunks of an import may still come, and whether it was taken back."""

    OPEN = "open"
    FINISHED = "finished"
    UNDONE = "undone"


class ListImports(Contract):
    """Ask for one page of imports, the newest first."""

    source: Source | None = None
    status: ImportStatus | None = None
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class ImportReport(Contract):
    """All that is known of an import; searchable once the index reaches `position`."""

    id: UUID
    source: str
    #: At most FILES_MAX; in a list of imports only the first one.
    files: tuple[str, ...] = ()
    #: How many there are, also those beyond FILES_MAX.
    file_count: int = 0
    by: str = ""
    status: str
    mode: ImportMode = ImportMode.UPSERT
    duplicates: Duplicates = Duplicates.AUTO
    counts: ImportCounts
    #: Entries of the source that a replace found no row of.
    archived: int = 0
    chunks: int
    started_at: datetime
    finished_at: datetime | None = None
    position: str | None = None
    #: Why it stopped, until it is resumed.
    error: TaskError | None = None
    #: The task that took it back (its status is "undone" then).
    undone_by: UUID | None = None
    notes: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()


class ImportPage(Contract):
    """One page, without rejects; `next_cursor` is None on the last."""

    imports: tuple[ImportReport, ...]
    next_cursor: UUID | None = None
