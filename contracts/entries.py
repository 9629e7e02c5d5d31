"""Entries: a problem and its solution, and what may be asked about them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from contracts.base import Contract, Write, refuse_unstorable
from contracts.similar import LikeEntry

TITLE_MAX = 255  # characters
BODY_MAX = 100_000  # characters, problem and solution each
TAGS_MAX, TAG_MAX = 64, 100  # count, characters
CATEGORY_MAX = 100  # characters
CUSTOM_MAX = 16 * 1024  # bytes of JSON in UTF-8
CUSTOM_DEPTH = 100  # levels of objects and lists: many readers of JSON end at 200, and few before

#: The tree that a new database starts with: slug, display name, parent.
PRESET_CATEGORIES = (
    ("batch", "Batch", None),
    ("jcl", "JCL", "batch"),
    ("vsam", "VSAM", None),
    ("db2", "DB2", None),
    ("cics", "CICS", None),
    ("ims", "IMS", None),
    ("cobol", "COBOL", None),
    ("functional", "Functional", None),
    ("security", "Security", None),
    ("network", "Network", None),
    ("system", "System", None),
    ("other", "Other", None),
)


class Severity(StrEnum):
    """How much it hurts while it lasts."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class RelationKind(StrEnum):
    """What the entry at the near end says of the entry at the far end."""

    RELATED = "related"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    PREREQUISITE = "prerequisite"


def unique_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """The tags in their first order, each once; case does not tell two tags apart."""
    return tuple({tag.casefold(): tag for tag in reversed(tags)}.values())[::-1]


def small_json(custom: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError for custom fields over CUSTOM_MAX, or that PostgreSQL's JSON refuses."""
    try:
        encoded = orjson.dumps(custom)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise ValueError(f"can't be written as JSON: {error}") from None
    if len(encoded) > CUSTOM_MAX:
        raise ValueError(f"is {len(encoded)} bytes of JSON; at most {CUSTOM_MAX} are kept")
    if b"\\u0000" in encoded:
        raise ValueError("contains a NUL character (U+0000), which can't be stored")
    return custom


def shallow(custom: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError for custom fields over CUSTOM_DEPTH, which many a client can't read."""
    level: list[Any] = [custom]
    for _ in range(CUSTOM_DEPTH):
        parts = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for part in parts for one in part if isinstance(one, dict | list | tuple)]
        if not level:
            return custom
    raise ValueError(f"is nested deeper than {CUSTOM_DEPTH} levels")


def exact_numbers(custom: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError for custom fields with a number beyond 64 bits.

    JSON's readers make a float of it, so that its last digits are gone before we see it.
    """
    if _inexact(custom):
        raise ValueError("holds a number beyond 64 bits, which would lose digits: write it as text")
    return custom


def _inexact(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_inexact, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_inexact, value))
    return isinstance(value, float) and not -(2**63) <= value < 2**64


# The limits come before that check, so that an error names them in the field's own terms.
_STORABLE = AfterValidator(refuse_unstorable)
Title = Annotated[
    str,
    StringConstraints(min_length=3, max_length=TITLE_MAX, strip_whitespace=True),
    _STORABLE,
]
Body = Annotated[str, StringConstraints(max_length=BODY_MAX), _STORABLE]
Category = Annotated[
    str, StringConstraints(min_length=1, max_length=CATEGORY_MAX, strip_whitespace=True), _STORABLE
]
Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=TAG_MAX, strip_whitespace=True), _STORABLE
]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255), _STORABLE]
Source = Annotated[str, StringConstraints(max_length=100), _STORABLE]
Tags = Annotated[tuple[Tag, ...], Field(max_length=TAGS_MAX), AfterValidator(unique_tags)]
#: As it is kept; earlier releases took any number and any depth.
KeptCustom = Annotated[dict[str, Any], AfterValidator(small_json)]
Custom = Annotated[KeptCustom, AfterValidator(shallow), AfterValidator(exact_numbers)]


class EntryFields(Contract):
    """What a person writes. Problem and solution may be empty: a bare title is a draft."""

    title: Title
    problem: Body = ""
    solution: Body = ""
    category: Category = "Other"
    severity: Severity = Severity.MEDIUM
    tags: Tags = ()
    custom: Custom = Field(default_factory=dict)


class KeptFields(EntryFields):
    """What was once written: it is read and goes with changes of other fields, whatever it is."""

    custom: KeptCustom = Field(default_factory=dict)


class EntryChanges(Contract):
    """The fields to change; those left out stay as they are."""

    title: Title | None = None
    problem: Body | None = None
    solution: Body | None = None
    category: Category | None = None
    severity: Severity | None = None
    tags: Tags | None = None
    custom: Custom | None = None

    @model_serializer(mode="wrap")
    def _only_what_changes(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        return {name: value for name, value in fields.items() if name in self.model_fields_set}

    @model_validator(mode="after")
    def _no_nulls(self) -> "EntryChanges":
        nulls = [name for name in self.model_fields_set if getattr(self, name) is None]
        if nulls:
            raise ValueError(f"null is no value for {', '.join(sorted(nulls))}; leave it out")
        return self


class Relation(Contract):
    """One end's view of a relation between two entries; the far one with its name in its source."""

    to_id: UUID
    kind: RelationKind
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    source: Source = ""
    external_id: ExternalId | None = None


class Entry(KeptFields):
    """An entry as it is kept."""

    id: UUID
    version: int
    archived: bool = False
    source: Source = ""
    external_id: ExternalId | None = None
    created_at: datetime
    created_by: str = ""
    updated_at: datetime
    updated_by: str = ""
    relations: tuple[Relation, ...] = ()


class EntryStored(Contract):
    """What a write did; `position` is where in the change feed it can be seen."""

    entry: Entry
    position: str
    #: Of a new entry: others that it may be a duplicate of, the most similar first.
    similar: tuple[LikeEntry, ...] = ()


class EntryDeleted(Contract):
    """The entry is gone, with its versions and relations."""

    id: UUID
    position: str


class EntryVersion(KeptFields):
    """An earlier state of an entry; `updated_*` say who made that state, and when."""

    version: int
    updated_at: datetime
    updated_by: str = ""


class EntryVersions(Contract):
    """All kept states of one entry, the newest first, the current one included."""

    id: UUID
    versions: tuple[EntryVersion, ...]


class EntryPage(Contract):
    """One page of a list, newest first; `next_cursor` is None on the last one."""

    entries: tuple[Entry, ...]
    next_cursor: str | None = None


class CreateEntry(Write):
    """Store a new entry, made by hand."""

    entry: EntryFields


class UpdateEntry(Write):
    """Change an entry; with `expected_version`, only if nobody else has since."""

    id: UUID
    changes: EntryChanges
    expected_version: Annotated[int, Field(ge=1)] | None = None


class ChangeEntryState(Write):
    """Archive, restore or delete one entry."""

    id: UUID
    expected_version: Annotated[int, Field(ge=1)] | None = None


class RelateEntries(Write):
    """State (or, with `strength` None, take back) a relation from one entry to another."""

    id: UUID
    to_id: UUID
    kind: RelationKind = RelationKind.RELATED
    strength: Annotated[float, Field(ge=0, le=1)] | None = 1.0

    @model_validator(mode="after")
    def _two_entries(self) -> "RelateEntries":
        if self.id == self.to_id:
            raise ValueError("an entry can't be related to itself")
        return self


class GetEntry(Contract):
    """Read one entry, or its history."""

    id: UUID


class ListEntries(Contract):
    """List entries by id, newest first unless `order` says oldest first.

    Those of a category are with all that are in parts of it.
    """

    cursor: Annotated[str, Field(max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    category: Category | None = None
    tag: Tag | None = None
    severity: Severity | None = None
    source: Source | None = None
    archived: bool | None = False
    order: Literal["newest", "oldest"] = "newest"
