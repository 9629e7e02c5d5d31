"""/v1/searches: searches that are saved, and what came to fit them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from actors import saved_searches
from contracts.base import Nothing, new_id
from contracts.saved_searches import (
    ListMatches,
    RemoveSearch,
    SavedMatches,
    SavedSearches,
    SaveSearch,
    SearchName,
    SearchRemoved,
    SearchSaved,
    WantedEntries,
)
from shim.backend import BackendOf
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1/searches", tags=["search"], dependencies=NO_OTHERS)


@router.get("", response_model=SavedSearches)
async def list_all(backend: BackendOf, by: Caller) -> Response:
    """Every saved search, by name."""
    return await backend.answer(saved_searches.list_all, Nothing())


@router.put("/{name}", response_model=SearchSaved)
async def save(
    backend: BackendOf, by: Caller, name: SearchName, body: WantedEntries, key: Key = None
) -> Response:
    """Keep a search under this name; it matches entries that are created or changed from now on."""
    command = SaveSearch(name=name, **body.model_dump(), key=key or str(new_id()), by=by)
    return await backend.answer(saved_searches.save, command)


@router.delete("/{name}", response_model=SearchRemoved)
async def remove(backend: BackendOf, by: Caller, name: SearchName, key: Key = None) -> Response:
    """Forget a search and its matches."""
    command = RemoveSearch(name=name, key=key or str(new_id()), by=by)
    return await backend.answer(saved_searches.remove, command)


@router.get("/{name}/matches", response_model=SavedMatches)
async def matches(
    backend: BackendOf,
    by: Caller,
    name: SearchName,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: UUID | None = None,
) -> Response:
    """What came to fit, the newest first; `cursor` is the `next_cursor` of the page before."""
    request = ListMatches(name=name, limit=limit, cursor=cursor)
    return await backend.answer(saved_searches.matches, request)
