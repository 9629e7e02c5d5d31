"""/v1/imports: a streamed body becomes one import."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.requests import ClientDisconnect

from actors import imports
from contracts.entries import Source
from contracts.imports import GetImport, ImportCounts, ImportReport, OnLong
from pipelines.formats.rows import Format
from pipelines.importing import Plan, import_streams
from pipelines.mapping import parse_mapping
from shim.backend import BackendOf, json_response
from shim.body import FedStream
from shim.keys import caller

router = APIRouter(prefix="/v1/imports", tags=["imports"])

KINDS: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/json": "json",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/markdown": "markdown",
}


@router.post("", status_code=201, response_model=ImportReport)
async def create(
    request: Request,
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    source: Annotated[Source, Query(description="whose external ids these are")] = "",
    mapping: Annotated[list[str], Query(alias="map", description="field=path")] = [],  # noqa: B006  # FastAPI copies it
    on_long: OnLong = OnLong.REJECT,
    name: str = "body",
) -> Response:
    """Import the body: NDJSON, a JSON array or CSV, plain or gzipped, of any length."""
    kind = KINDS.get(request.headers.get("content-type", "").partition(";")[0].strip(), "auto")
    plan = Plan(source=source, kind=kind, mapping=parse_mapping(mapping), on_long=on_long, by=by)
    stream = FedStream()
    feeding = asyncio.create_task(_feed(request, stream))
    try:
        report = await import_streams(backend.client, [(name, stream)], plan, _unseen)
    finally:
        stream.close()
        feeding.cancel()
    return json_response(report.model_dump_json().encode(), 201)


@router.get("/{import_id}", response_model=ImportReport)
async def get(
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    import_id: UUID,
    limit: Annotated[int, Query(ge=0, le=500)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """An import's counts and a page of its rejects."""
    request = GetImport(id=import_id, limit=limit, offset=offset)
    return await backend.answer(imports.report, request)


async def _feed(request: Request, stream: FedStream) -> None:
    try:
        async for piece in request.stream():
            await stream.feed(piece)
        await stream.end()
    except ClientDisconnect:
        await stream.end(error=ConnectionError("the sender went away"))


def _unseen(counts: ImportCounts) -> None:
    """Nobody watches an import over HTTP; its state can be read meanwhile."""
