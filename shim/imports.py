"""/v1/imports: a streamed body becomes one import."""

import asyncio
from email.message import Message
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from actors import import_rejects, imports, similar
from contracts.base import Offset, Text, field_errors, new_id
from contracts.entries import Source
from contracts.errors import (
    CasebookError,
    SourceCutShort,
    UnsupportedFormat,
    ValidationFailed,
)
from contracts.imports import (
    REMOVED_MAX,
    Duplicates,
    GetImport,
    GetRejects,
    ImportCheck,
    ImportCounts,
    ImportMode,
    ImportPage,
    ImportReport,
    ListImports,
    OnLong,
    RejectPage,
    StartImport,
)
from contracts.mappings import MappingName
from contracts.similar import FindingStarted, FindSimilar, GetSimilar, SimilarPage
from pipelines.checking import check_streams
from pipelines.formats.rows import Format, make_reading
from pipelines.importing import Plan, import_streams
from pipelines.mapping import load_shape, parse_shape
from shim.backend import BackendOf, json_response
from shim.body import FedStream
from shim.keys import caller
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1/imports", tags=["imports"], dependencies=NO_OTHERS)

#: What a body may be packed as. Its first bytes tell, so this is about the others.
PACKED = ("", "identity", "gzip", "x-gzip", "zstd", "bzip2", "x-bzip2", "xz", "x-xz")

FORM, FIELDS = "multipart/form-data", "application/x-www-form-urlencoded"
ONE_LINE = "At most one row came. curl's -d drops line ends; --data-binary @FILE keeps them."

NAME_MAX = 255  # characters: each reject repeats it

#: What a content type says of a body whose content does not tell.
HINTS: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/json": "json",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/markdown": "markdown",
}


@router.post("", status_code=201, response_model=ImportReport | ImportCheck)
async def create(
    request: Request,
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    source: Annotated[Source, Query(description="whose external ids these are")] = "",
    pairs: Annotated[list[str], Query(alias="map", description="field=path")] = [],  # noqa: B006  # FastAPI copies it
    default: Annotated[list[str], Query(description="field=value")] = [],  # noqa: B006
    split: Annotated[list[str], Query(description="tags=separator")] = [],  # noqa: B006
    mapping: Annotated[MappingName | None, Query(description="a saved one")] = None,
    kind: Annotated[Format, Query(alias="format")] = "auto",
    delimiter: Annotated[str | None, Query(description="between the cells of a CSV")] = None,
    encoding: Annotated[str | None, Query(description="of text without a mark")] = None,
    columns: Annotated[str | None, Query(description="of a CSV without a header: a,b,c")] = None,
    on_long: OnLong = OnLong.REJECT,
    max_rejects: Annotated[int | None, Query(ge=0, description="stop where there are more")] = None,
    mode: ImportMode = ImportMode.UPSERT,
    max_removed: Annotated[
        float, Query(ge=0, le=100, description="percent of its source that a replace may archive")
    ] = REMOVED_MAX,
    duplicates: Duplicates = Duplicates.AUTO,
    dry_run: Annotated[bool, Query(description="only read, validate and count")] = False,
    resume: Annotated[UUID | None, Query(description="an import of the same body")] = None,
    name: Annotated[Text, Query(max_length=NAME_MAX, description="of the body")] = "body",
) -> Response:
    """Import the body, of any length: NDJSON, JSON, CSV or a search server's export.

    It may be packed with gzip, bz2, xz or zstd. A dry run answers 200, and nothing is written.
    """
    _refuse_mode(source, mode)
    content_type = _content_type(request)
    shape = parse_shape(pairs, default, split)
    if mapping is not None:
        saved = await load_shape(backend.client, mapping, timeout=backend.read_timeout)
        shape = shape.over(saved)
    reading = make_reading(
        kind,
        hint=HINTS.get(content_type.get_content_type(), "auto"),
        delimiter=delimiter,
        encoding=encoding or content_type.get_content_charset(),
        columns=columns,
    )
    plan = Plan(
        source=source,
        reading=reading,
        shape=shape,
        on_long=on_long,
        by=by,
        max_rejects=max_rejects,
        resume=resume,
        mode=mode,
        max_removed=max_removed,
        duplicates=duplicates,
        said=request.query_params.keys(),
    )
    begun: list[UUID] = []
    stream = FedStream()
    feeding = asyncio.create_task(_feed(request, stream))
    try:
        if dry_run:
            check = await check_streams(backend.client, [(name, stream)], plan, _unseen)
            return _told(check, content_type, 200)
        report = await import_streams(backend.client, [(name, stream)], plan, _unseen, begun.append)
    except CasebookError as error:
        error.details |= {"import_id": str(begun[0])} if begun else {}
        raise
    finally:
        stream.close()
        feeding.cancel()
    return _told(report, content_type, 201)


@router.get("", response_model=ImportPage)
async def list_page(
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    request: Annotated[ListImports, Query()],
) -> Response:
    """List imports, the newest first, a page at a time; without their rejects."""
    return await backend.answer(imports.list_page, request)


@router.get("/{import_id}/similar", response_model=SimilarPage)
async def list_similar(
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    import_id: UUID,
    minimum: Annotated[float, Query(ge=0, le=1, description="similarity")] = 0.0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Offset = 0,
) -> Response:
    """Entries of an import with the most similar other one, once that has been looked for."""
    request = GetSimilar(id=import_id, minimum=minimum, limit=limit, offset=offset)
    return await backend.answer(similar.list_page, request)


@router.post("/{import_id}/similar", status_code=202, response_model=FindingStarted)
async def find_similar(
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    import_id: UUID,
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)
    ] = None,
) -> Response:
    """Look for near duplicates of an import's entries, as a task."""
    command = FindSimilar(import_id=import_id, by=by, key=key or str(new_id()))
    return await backend.answer(similar.find, command, status=202)


@router.get("/{import_id}", response_model=ImportReport)
async def get(
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    import_id: UUID,
    limit: Annotated[int, Query(ge=0, le=500)] = 20,
    offset: Offset = 0,
) -> Response:
    """An import's counts and a page of its rejects."""
    request = GetImport(id=import_id, limit=limit, offset=offset)
    return await backend.answer(imports.report, request)


@router.get("/{import_id}/rejects", response_model=RejectPage)
async def rejects(
    backend: BackendOf,
    by: Annotated[str, Depends(caller)],
    import_id: UUID,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """The rows that an import did not take, and why."""
    request = GetRejects(id=import_id, cursor=cursor, limit=limit)
    return await backend.answer(import_rejects.list_page, request)


def _refuse_mode(source: str, mode: ImportMode) -> None:
    """Raises: ValidationFailed where no import can be so."""
    try:
        StartImport(source=source, mode=mode)
    except ValidationError as error:
        raise ValidationFailed(errors=field_errors(error.errors(include_url=False))) from None


def _content_type(request: Request) -> Message:
    """What the sender calls the body. Raises: UnsupportedFormat where nobody could read it."""
    found = Message()
    found["content-type"] = request.headers.get("content-type", "")
    if found.get_content_type() == FORM:
        raise UnsupportedFormat(
            "The rows are the body itself, not a part of a form: with curl --data-binary @FILE, "
            "not -F."
        )
    packed = ", ".join(request.headers.getlist("content-encoding")).strip().lower()
    if packed not in PACKED:
        raise UnsupportedFormat(
            f"The body is packed as {packed[:40]!r}: send it plain, or as gzip, zstd, bz2 or xz."
        )
    return found


def _told(report: ImportReport | ImportCheck, content_type: Message, status: int) -> Response:
    """The report; with a hint where a body looks like what curl makes of a file by default."""
    counts = report.counts
    if content_type.get_content_type() == FIELDS and counts.received == counts.rejected <= 1:
        report = report.model_copy(update={"notes": (*report.notes, ONE_LINE)})
    return json_response(report.model_dump_json().encode(), status)


async def _feed(request: Request, stream: FedStream) -> None:
    try:
        async for piece in request.stream():
            await stream.feed(piece)
        await stream.end()
    except ClientDisconnect:
        # No end of a source: nobody is there to hear what became of an import that has finished.
        await stream.end(error=SourceCutShort("The sender went away before the end of the body."))


def _unseen(counts: ImportCounts) -> None:
    """Nobody watches an import over HTTP; its state can be read meanwhile."""
