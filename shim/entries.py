"""/v1/entries."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Body, Query, Request, Response

from actors import entries, search
from actors.actor import Operation
from contracts.base import new_id
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    Entry,
    EntryChanges,
    EntryDeleted,
    EntryFields,
    EntryPage,
    EntryStored,
    EntryVersions,
    GetEntry,
    ListEntries,
    RelateEntries,
    RelationKind,
    UpdateEntry,
)
from contracts.similar import LikeEntries, MoreLikeThis
from pipelines import searching
from shim.analytics import NAMED_SEARCH, named_search
from shim.backend import Backend, BackendOf, answered, json_response
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS, refuse_others

router = APIRouter(prefix="/v1/entries", tags=["entries"])

Version = Annotated[
    int | None,
    Query(alias="expected_version", ge=1, description="refuse if this is not its version now"),
]


def _key(key: str | None) -> str:
    return key or str(new_id())


async def _changed(
    backend: Backend,
    operation: Operation[Any, Any],
    command: UpdateEntry | ChangeEntryState | RelateEntries,
) -> Response:
    """The reply to a write; what it has left of the entry is what is last known of that."""
    response = await backend.answer(operation, command)
    if response.status_code == 200:  # done, and not waiting for PostgreSQL
        told = orjson.loads(response.body)
        entry = orjson.dumps(told.get("entry", told))
        asked = GetEntry(id=command.id)
        backend.answers.wrote(entries.get.name, asked, entry, told.get("position", ""))
    return response


@router.post("", status_code=201, response_model=EntryStored, dependencies=NO_OTHERS)
async def create(backend: BackendOf, by: Caller, fields: EntryFields, key: Key = None) -> Response:
    """Store an entry; the reply lists others that it may be a duplicate of."""
    command = CreateEntry(entry=fields, key=_key(key), by=by)
    response = await backend.answer(entries.create, command, status=201)
    if response.status_code != 201:
        return response
    body = await searching.with_similar(backend.client, bytes(response.body), fields)
    return json_response(body, 201)


@router.get("", response_model=EntryPage)
async def list_page(
    backend: BackendOf, by: Caller, request: Annotated[ListEntries, Query()]
) -> Response:
    """List entries, newest first, a page at a time."""
    return await backend.answer(entries.list_page, request)


@router.get("/{entry_id}", response_model=Entry, openapi_extra=NAMED_SEARCH)
async def get(request: Request, backend: BackendOf, by: Caller, entry_id: UUID) -> Response:
    """One entry with its relations; while the database is away as it was last known.

    A caller that names the search has viewed what it showed.
    """
    refuse_others(request)
    search_id = named_search(request)
    response = answered(await backend.read_first(entries.get, GetEntry(id=entry_id)))
    if search_id is not None:
        request.app.state.recording.read(entry_id, search_id, by)
    return response


@router.get("/{entry_id}/versions", response_model=EntryVersions, dependencies=NO_OTHERS)
async def versions(backend: BackendOf, by: Caller, entry_id: UUID) -> Response:
    """The kept states of one entry, the newest first."""
    return await backend.answer(entries.versions, GetEntry(id=entry_id))


@router.get("/{entry_id}/similar", response_model=LikeEntries, dependencies=NO_OTHERS)
async def similar(
    backend: BackendOf,
    by: Caller,
    http: Request,
    entry_id: UUID,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Response:
    """Entries about the same thing, the most like it first."""
    request = MoreLikeThis(id=entry_id, limit=limit)
    return answered(await backend.read(search.like, request, http))


@router.put("/{entry_id}", response_model=EntryStored, dependencies=NO_OTHERS)
async def replace(
    backend: BackendOf,
    by: Caller,
    entry_id: UUID,
    fields: EntryFields,
    key: Key = None,
    version: Version = None,
) -> Response:
    """Replace every field of an entry; those left out go back to their defaults."""
    changes = EntryChanges(**fields.model_dump())
    command = UpdateEntry(
        id=entry_id, changes=changes, expected_version=version, key=_key(key), by=by
    )
    return await _changed(backend, entries.update, command)


@router.patch("/{entry_id}", response_model=EntryStored, dependencies=NO_OTHERS)
async def update(
    backend: BackendOf,
    by: Caller,
    entry_id: UUID,
    changes: EntryChanges,
    key: Key = None,
    version: Version = None,
) -> Response:
    """Change some fields of an entry."""
    command = UpdateEntry(
        id=entry_id, changes=changes, expected_version=version, key=_key(key), by=by
    )
    return await _changed(backend, entries.update, command)


@router.delete("/{entry_id}", response_model=EntryDeleted, dependencies=NO_OTHERS)
async def delete(
    backend: BackendOf,
    by: Caller,
    entry_id: UUID,
    key: Key = None,
    version: Version = None,
) -> Response:
    """Remove an entry for good, with its versions."""
    command = ChangeEntryState(id=entry_id, expected_version=version, key=_key(key), by=by)
    response = await backend.answer(entries.delete, command)
    if response.status_code == 200:
        backend.answers.gone(entries.get.name, GetEntry(id=entry_id))
    return response


@router.post("/{entry_id}/archive", response_model=EntryStored, dependencies=NO_OTHERS)
async def archive(
    backend: BackendOf, by: Caller, entry_id: UUID, key: Key = None, version: Version = None
) -> Response:
    """Take an entry out of searches and lists."""
    command = ChangeEntryState(id=entry_id, expected_version=version, key=_key(key), by=by)
    return await _changed(backend, entries.archive, command)


@router.post("/{entry_id}/restore", response_model=EntryStored, dependencies=NO_OTHERS)
async def restore(
    backend: BackendOf, by: Caller, entry_id: UUID, key: Key = None, version: Version = None
) -> Response:
    """Bring an archived entry back."""
    command = ChangeEntryState(id=entry_id, expected_version=version, key=_key(key), by=by)
    return await _changed(backend, entries.restore, command)


@router.put("/{entry_id}/relations/{to_id}", response_model=Entry, dependencies=NO_OTHERS)
async def relate(
    backend: BackendOf,
    by: Caller,
    entry_id: UUID,
    to_id: UUID,
    kind: Annotated[RelationKind, Body(embed=True)] = RelationKind.RELATED,
    strength: Annotated[float | None, Body(embed=True, ge=0, le=1)] = 1.0,
    key: Key = None,
) -> Response:
    """State a relation to another entry; with `strength` null, take it back."""
    command = RelateEntries(
        id=entry_id, to_id=to_id, kind=kind, strength=strength, key=_key(key), by=by
    )
    return await _changed(backend, entries.relate, command)
