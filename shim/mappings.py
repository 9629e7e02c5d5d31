"""/v1/mappings: mappings that imports use by name."""

from fastapi import APIRouter, Response

from actors import mappings
from contracts.base import Nothing
from contracts.mappings import (
    DeleteMapping,
    GetMapping,
    MappingDeleted,
    MappingName,
    SavedMapping,
    SavedMappings,
    SaveMapping,
    SoundShape,
)
from shim.backend import BackendOf
from shim.keys import Caller
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1/mappings", tags=["imports"], dependencies=NO_OTHERS)


@router.get("", response_model=SavedMappings)
async def list_all(backend: BackendOf, by: Caller) -> Response:
    """Every saved mapping, by name."""
    return await backend.answer(mappings.list_all, Nothing())


@router.get("/{name}", response_model=SavedMapping)
async def get(backend: BackendOf, by: Caller, name: MappingName) -> Response:
    """One saved mapping."""
    return await backend.answer(mappings.get, GetMapping(name=name))


@router.put("/{name}", response_model=SavedMapping)
async def put(backend: BackendOf, by: Caller, name: MappingName, shape: SoundShape) -> Response:
    """Keep a mapping under this name, in place of what was kept there."""
    return await backend.answer(mappings.save, SaveMapping(name=name, shape=shape, by=by))


@router.delete("/{name}", response_model=MappingDeleted)
async def delete(backend: BackendOf, by: Caller, name: MappingName) -> Response:
    """Forget a mapping."""
    return await backend.answer(mappings.delete, DeleteMapping(name=name, by=by))
