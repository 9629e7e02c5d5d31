"""/v1/semantic: search by meaning, switched on and off, and how far it is."""

from fastapi import APIRouter, Response

from actors import semantic
from contracts.base import Nothing, new_id
from contracts.semantic import (
    DisableSemantic,
    EnableSemantic,
    SemanticDisabled,
    SemanticStarted,
    SemanticState,
)
from shim.backend import BackendOf
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1/semantic", tags=["search"], dependencies=NO_OTHERS)


@router.get("", response_model=SemanticState)
async def state(backend: BackendOf, by: Caller) -> Response:
    """What searches by meaning use, and how many entries have a vector."""
    return await backend.answer(semantic.state, Nothing())


@router.put("", status_code=202, response_model=SemanticStarted)
async def enable(backend: BackendOf, by: Caller, key: Key = None) -> Response:
    """Make vectors of all entries, as a task; the present ones stay in use until it has ended."""
    command = EnableSemantic(key=key or str(new_id()), by=by)
    return await backend.answer(semantic.enable, command, status=202)


@router.delete("", response_model=SemanticDisabled)
async def disable(backend: BackendOf, by: Caller, key: Key = None) -> Response:
    """Forget all vectors. Words and codes are found as before."""
    command = DisableSemantic(key=key or str(new_id()), by=by)
    return await backend.answer(semantic.disable, command)
