"""Entries: written once, however often the message arrives."""

from datetime import timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from actors.actor import actor
from contracts.base import field_errors, new_id
from contracts.bulk import EntriesFound, GetEntries
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    Entry,
    EntryDeleted,
    EntryFields,
    EntryPage,
    EntryStored,
    EntryVersion,
    EntryVersions,
    GetEntry,
    KeptFields,
    ListEntries,
    RelateEntries,
    UpdateEntry,
)
from contracts.errors import DuplicateEntry, EntryNotFound, ValidationFailed, VersionConflict
from storage.postgres.digests import digest, text_digest
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction

NOBODY = UUID(int=0)


@actor(queue="entries")
def create(command: CreateEntry, store: Store) -> EntryStored:
    """Store an entry made by hand. Raises: DuplicateEntry when another holds the same text."""
    return once(store, "entries.create", command, EntryStored, partial(_create, command))


@actor(queue="entries")
def update(command: UpdateEntry, store: Store) -> EntryStored:
    """Change an entry, keeping the state before.

    Raises: EntryNotFound, VersionConflict, DuplicateEntry (hand-made entries only).
    """
    return once(store, "entries.update", command, EntryStored, partial(apply_update, command))


@actor(queue="entries")
def archive(command: ChangeEntryState, store: Store) -> EntryStored:
    """Take an entry out of searches and lists. Raises: EntryNotFound, VersionConflict."""
    effect = partial(apply_archived, command, True)
    return once(store, "entries.archive", command, EntryStored, effect)


@actor(queue="entries")
def restore(command: ChangeEntryState, store: Store) -> EntryStored:
    """Bring an archived entry back. Raises: EntryNotFound, VersionConflict."""
    effect = partial(apply_archived, command, False)
    return once(store, "entries.restore", command, EntryStored, effect)


@actor(queue="entries")
def delete(command: ChangeEntryState, store: Store) -> EntryDeleted:
    """Remove an entry for good. Raises: EntryNotFound, VersionConflict."""
    return once(store, "entries.delete", command, EntryDeleted, partial(apply_delete, command))


@actor(queue="entries")
def relate(command: RelateEntries, store: Store) -> Entry:
    """State or take back a relation. Raises: EntryNotFound for either end."""
    return once(store, "entries.relate", command, Entry, partial(_relate, command))


@actor(queue="reads", read=True)
def get(request: GetEntry, store: Store) -> Entry:
    """One entry with its relations. Raises: EntryNotFound."""
    with store.transaction() as tx:
        return _entry(tx, request.id)


@actor(queue="reads", read=True)
def get_many(request: GetEntries, store: Store) -> EntriesFound:
    """Many entries with their relations, in the order asked for, by one statement."""
    with store.transaction() as tx:
        rows = tx.rows("entries.get_many", ids=list(request.ids))
    found = {row["id"]: _from_row(row) for row in rows}
    wanted = dict.fromkeys(request.ids)
    return EntriesFound(
        entries=tuple(found[one] for one in wanted if one in found),
        missing=tuple(one for one in wanted if one not in found),
    )


@actor(queue="reads", read=True)
def versions(request: GetEntry, store: Store) -> EntryVersions:
    """The kept states of one entry. Raises: EntryNotFound."""
    with store.transaction() as tx:
        rows = tx.rows("entries.versions", id=request.id)
    if not rows:
        raise EntryNotFound(id=str(request.id))
    return EntryVersions(id=request.id, versions=tuple(EntryVersion(**row) for row in rows))


@actor(queue="reads", read=True, time_limit=timedelta(seconds=10))
def list_page(request: ListEntries, store: Store) -> EntryPage:
    """One page of entries by id; those of a category with all that are in parts of it.

    Raises: ValidationFailed for a cursor that is none of ours.
    """
    parameters = request.model_dump(exclude={"order", "cursor", "limit", "category"})
    parameters["cursor"] = _cursor(request.cursor)
    page: Literal["page_newest", "page_oldest"] = (
        "page_newest" if request.order == "newest" else "page_oldest"
    )
    with store.transaction() as tx:
        parameters["categories"] = _parts(tx, request.category)
        rows = tx.rows(f"entries.{page}", limit=request.limit + 1, **parameters)
    entries = tuple(_from_row(row) for row in rows[: request.limit])
    more = len(rows) > request.limit
    return EntryPage(entries=entries, next_cursor=str(entries[-1].id) if more else None)


def _parts(tx: Transaction, category: str | None) -> list[str] | None:
    """The keys of a category and its parts; none of one that there is not."""
    if category is None:
        return None
    return [row["key"] for row in tx.rows("entries.parts_of_category", category=category)]


def _create(command: CreateEntry, tx: Transaction) -> EntryStored:
    fields = command.entry
    entry_id = new_id()
    columns = _columns(tx, fields)
    _refuse_duplicate(tx, columns["text_digest"], NOBODY)
    while tx.row("entries.insert", id=entry_id, by=command.by, **columns) is None:
        # Someone stored the same text since the check, or a moment ago took it away again.
        _refuse_duplicate(tx, columns["text_digest"], NOBODY)
    return _stored(tx, entry_id)


def apply_update(command: UpdateEntry, tx: Transaction) -> EntryStored:
    """As `update`, in a transaction of the caller's."""
    row = _locked(tx, command.id, command.expected_version)
    now = {name: row[name] for name in EntryFields.model_fields}
    try:
        fields = KeptFields(**(now | command.changes.model_dump(exclude_unset=True)))
    except ValueError as error:  # pragma: no cover - both halves were valid when they came
        raise ValidationFailed(errors=field_errors(getattr(error, "errors", list)())) from error
    return apply_fields(row, fields, command.by, tx)


def apply_fields(row: Row, fields: EntryFields, by: str, tx: Transaction) -> EntryStored:
    """Make the entry of `row`, which the caller has locked, hold these fields.

    Raises: DuplicateEntry.
    """
    entry_id, columns = row["id"], _columns(tx, fields)
    if columns["digest"] == row["digest"]:
        return EntryStored(entry=_entry(tx, entry_id), position=_head(tx, entry_id))
    if row["external_id"] is None and columns["text_digest"] != row["text_digest"]:
        _refuse_duplicate(tx, columns["text_digest"], entry_id)
    tx.run("entries.keep_versions", ids=[entry_id])
    tx.run("entries.update", id=entry_id, by=by, **columns)
    return _stored(tx, entry_id)


def apply_archived(
    command: ChangeEntryState, archived: bool, tx: Transaction, *, withdrawn: bool = False
) -> EntryStored:
    """As `archive` or `restore`, in a transaction of the caller's.

    What is `withdrawn` nobody has archived by hand: a row of an import brings it back.
    """
    row = _locked(tx, command.id, command.expected_version)
    if row["archived"] == archived:
        return EntryStored(entry=_entry(tx, command.id), position=_head(tx, command.id))
    tx.run("entries.keep_versions", ids=[command.id])
    state = {"archived": archived, "withdrawn": archived and withdrawn}
    tx.run("entries.set_archived", id=command.id, by=command.by, **state)
    return _stored(tx, command.id)


def apply_delete(command: ChangeEntryState, tx: Transaction) -> EntryDeleted:
    """As `delete`, in a transaction of the caller's."""
    _locked(tx, command.id, command.expected_version)
    tx.run("entries.delete", id=command.id)
    return EntryDeleted(id=command.id, position=_fed(tx, command.id, "delete"))


def _relate(command: RelateEntries, tx: Transaction) -> Entry:
    # In id order, so that two relations stated at once in both directions can't deadlock.
    for end in sorted((command.id, command.to_id)):
        _locked(tx, end, None)
    ends = {"from_id": command.id, "to_id": command.to_id, "kind": command.kind}
    if command.strength is None:
        tx.run("entries.unrelate", **ends)
        tx.run("links.forget", **ends)
    else:
        tx.run("entries.relate", strength=command.strength, **ends)
    return _entry(tx, command.id)


def _columns(tx: Transaction, fields: EntryFields) -> dict[str, Any]:
    """The fields as columns; the category in the spelling that it was first given."""
    tx.run("entries.ensure_categories", names=[fields.category])
    names = tx.rows("entries.category_names", names=[fields.category])
    fields = fields.model_copy(update={"category": names[0]["name"]})
    return {
        **fields.model_dump(exclude={"custom", "tags"}),
        "tags": list(fields.tags),
        "custom": Jsonb(fields.custom),
        "digest": digest(fields),
        "text_digest": text_digest(fields),
    }


def _refuse_duplicate(tx: Transaction, text: UUID, own: UUID) -> None:
    holder = tx.row("entries.holder_of_text", text_digest=text, **{"except": own})
    if holder is not None:
        raise DuplicateEntry(
            f"Entry {holder['id']} ({holder['title']}) holds the same text.",
            entry_id=str(holder["id"]),
            title=holder["title"],
        )


def _locked(tx: Transaction, entry_id: UUID, expected_version: int | None) -> Row:
    row = tx.row("entries.get_for_update", id=entry_id)
    if row is None:
        raise EntryNotFound(id=str(entry_id))
    if expected_version is not None and row["version"] != expected_version:
        raise VersionConflict(
            current_version=row["version"],
            expected_version=expected_version,
            updated_at=row["updated_at"].isoformat(),
            updated_by=row["updated_by"],
        )
    return row


def _stored(tx: Transaction, entry_id: UUID) -> EntryStored:
    return EntryStored(entry=_entry(tx, entry_id), position=_fed(tx, entry_id, "put"))


def _fed(tx: Transaction, entry_id: UUID, op: str) -> str:
    """Add the change to the feed; where it stands there."""
    change = tx.row("feed.append", entry_id=entry_id, op=op)
    assert change is not None
    tx.notify()
    return str(tx.position(change["txid"], change["seq"]))


def _head(tx: Transaction, entry_id: UUID) -> str:
    """A write that changed nothing is searchable where the entry already is."""
    change = tx.row("feed.last_of", entry_id=entry_id)
    return str(tx.position(change["txid"], change["seq"]) if change else tx.position(0, 0))


def _entry(tx: Transaction, entry_id: UUID) -> Entry:
    row = tx.row("entries.get", id=entry_id)
    if row is None:
        raise EntryNotFound(id=str(entry_id))
    return _from_row(row)


def _from_row(row: Row) -> Entry:
    return Entry.model_validate({name: row[name] for name in Entry.model_fields if name in row})


def _cursor(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        error = {"field": "cursor", "code": "CURSOR_INVALID", "message": "is no cursor of a list"}
        raise ValidationFailed("This cursor is not one that a list gave.", errors=[error]) from None
