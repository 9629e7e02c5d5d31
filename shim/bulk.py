"""Many entries at once: /v1/entries/get, /v1/entries/change, /v1/imports/{id}/undo."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from actors import bulk, entries
from contracts.base import new_id
from contracts.bulk import (
    ChangeEntries,
    ChangeStarted,
    EntriesFound,
    GetEntries,
    GetSkips,
    SelectionCount,
    SkipPage,
    UndoCount,
    UndoImport,
)
from shim.backend import BackendOf
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS

router = APIRouter(tags=["bulk"], dependencies=NO_OTHERS)

DryRun = Annotated[bool, Query(description="only count")]


@router.post("/v1/entries/get", response_model=EntriesFound)
async def get_many(backend: BackendOf, by: Caller, request: GetEntries) -> Response:
    """Up to 500 entries by id, in the order asked for."""
    return await backend.answer(entries.get_many, request)


@router.post("/v1/entries/change", status_code=202, response_model=ChangeStarted | SelectionCount)
async def change(
    backend: BackendOf,
    by: Caller,
    request: ChangeEntries,
    dry_run: DryRun = False,
    key: Key = None,
) -> Response:
    """Change, archive, restore or delete every entry of a selection, as a task."""
    if dry_run:
        return await backend.answer(bulk.count, request)
    command = request.model_copy(update={"by": by, "key": key or request.key})
    return await backend.answer(bulk.start, command, status=202)


@router.post(
    "/v1/imports/{import_id}/undo",
    status_code=202,
    response_model=ChangeStarted | UndoCount,
)
async def undo(
    backend: BackendOf,
    by: Caller,
    import_id: UUID,
    dry_run: DryRun = False,
    key: Key = None,
) -> Response:
    """Take an import back, as a task, within 24 hours."""
    command = UndoImport(import_id=import_id, by=by, key=key or str(new_id()))
    if dry_run:
        return await backend.answer(bulk.count_undo, command)
    return await backend.answer(bulk.undo, command, status=202)


@router.get("/v1/tasks/{task_id}/skips", response_model=SkipPage)
async def skips(
    backend: BackendOf,
    by: Caller,
    task_id: UUID,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """The entries that a task passed over, and why."""
    request = GetSkips(task=task_id, cursor=cursor, limit=limit)
    return await backend.answer(bulk.skips, request)
