"""/v1/synonyms and /v1/pins: what people teach the search."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from actors import tuning
from contracts.base import Nothing, new_id
from contracts.tuning import (
    CategoryOrAll,
    PinEntries,
    PinnedEntries,
    PinnedQuery,
    SearchTuning,
    SetSynonyms,
    SynonymSet,
    TuningChanged,
    Unpin,
    Word,
)
from shim.backend import BackendOf
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1", tags=["search"], dependencies=NO_OTHERS)


@router.get("/synonyms", response_model=SearchTuning)
@router.get("/pins", response_model=SearchTuning)
async def show(backend: BackendOf, by: Caller) -> Response:
    """All synonyms and pinned entries."""
    return await backend.answer(tuning.show, Nothing())


@router.put("/synonyms", response_model=TuningChanged)
async def set_synonyms(
    backend: BackendOf, by: Caller, body: SynonymSet, key: Key = None
) -> Response:
    """Say what else a word is called, in place of what was said before."""
    command = SetSynonyms(**body.model_dump(), key=key or str(new_id()), by=by)
    return await backend.answer(tuning.set_synonyms, command)


@router.delete("/synonyms", response_model=TuningChanged)
async def unset_synonyms(
    backend: BackendOf,
    by: Caller,
    word: Annotated[Word, Query()],
    category: Annotated[CategoryOrAll, Query()] = "",
    key: Key = None,
) -> Response:
    """Forget what a word is called."""
    command = SetSynonyms(word=word, same_as=(), category=category, key=key or str(new_id()), by=by)
    return await backend.answer(tuning.set_synonyms, command)


@router.put("/pins", response_model=TuningChanged)
async def pin(backend: BackendOf, by: Caller, body: PinnedEntries, key: Key = None) -> Response:
    """Show these entries first for a query."""
    command = PinEntries(**body.model_dump(), key=key or str(new_id()), by=by)
    return await backend.answer(tuning.pin, command)


@router.delete("/pins", response_model=TuningChanged)
async def unpin(
    backend: BackendOf, by: Caller, query: Annotated[PinnedQuery, Query()], key: Key = None
) -> Response:
    """Show what fits best for a query."""
    return await backend.answer(tuning.unpin, Unpin(query=query, key=key or str(new_id()), by=by))
