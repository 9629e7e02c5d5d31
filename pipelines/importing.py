"""Bulk import: chunks in flight within a window, at the index's pace, each asked again until it has
its answer."""

import asyncio
import contextlib
import io
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar
from uuid import UUID

from actors import imports, tasks
from actors.broker.client import Client
from contracts.errors import (
    CasebookError,
    NoReply,
    TaskNotFound,
    TaskState,
    TooManyRejects,
    Unavailable,
    UnsupportedFormat,
)
from contracts.imports import (
    NOTES_MAX,
    REMOVED_MAX,
    ChunkDone,
    Duplicates,
    FinishImport,
    ImportCounts,
    ImportMode,
    ImportReport,
    ImportStarted,
    OnLong,
    Reject,
    StartImport,
)
from contracts.mappings import Shape
from contracts.tasks import ResumeTask, Task
from pipelines.ask import ask_for
from pipelines.chunks import Chunk, cut, read_aside
from pipelines.formats import rows
from pipelines.formats.rows import Reading
from pipelines.formats.source import Found
from pipelines.pace import Pace, keep
from pipelines.rejects import RejectsFile
from pipelines.window import Window

PATIENCE = 300.0  # seconds that a chunk is asked again while something is away
REPLY = 30.0  # seconds that one asking is awaited
PAUSE = 0.1, 2.0  # seconds: first and longest between two askings


@dataclass(frozen=True)
class Plan:
    """What to import, and how."""

    source: str = ""
    reading: Reading = field(default_factory=Reading)
    shape: Shape = field(default_factory=Shape)
    on_long: OnLong = OnLong.REJECT
    by: str = ""
    resume: UUID | None = None
    rejects: RejectsFile | None = None
    #: Rows; where more are rejected, the import stops.
    max_rejects: int | None = None
    mode: ImportMode = ImportMode.UPSERT
    max_removed: float = REMOVED_MAX  # percent, of a replace
    duplicates: Duplicates = Duplicates.AUTO


Progress = Callable[[ImportCounts], None]
Opened = tuple[str, IO[bytes] | io.RawIOBase]
R = TypeVar("R")


async def import_streams(
    client: Client,
    streams: Iterable[Opened],
    plan: Plan,
    progress: Progress,
    begun: Callable[[UUID], None] = lambda import_id: None,
) -> ImportReport:
    """Import every named stream as one import; its report when all of it is stored.

    `begun` hears its id before anything of it is stored: who is stopped can go on with it.
    Streams are read in a thread, a chunk at a time, so memory does not grow with their size.
    Raises: UnsupportedFormat, EncodingUnknown; ChunkChanged when `plan.resume` names an import of
    another file; ImportCanceled; TooManyRejects, when what was in flight is counted;
    RejectsUnwritable; ReplaceTooMuch, and the import can be resumed; Unavailable when something
    stays away for longer than PATIENCE.
    """
    streams = iter(streams)
    first = next(streams, None)
    names = (first[0],) if first else ()
    import_id = await _resume(client, plan) or await _start(client, plan, names)
    begun(import_id)
    opened = itertools.chain([first] if first else [], streams)
    notes: list[str] = []
    found = found_in(opened, plan.reading, notes)
    chunks = cut(found, plan.shape, keep=plan.rejects is not None)
    sent = await _send_all(client, import_id, chunks, plan, progress)
    finish = FinishImport(
        import_id=import_id,
        chunks=sent,
        notes=tuple(notes[:NOTES_MAX]),
        max_removed=plan.max_removed,
    )
    return await insist(
        lambda: ask_for(ImportReport, client, imports.finish, finish, timeout=REPLY)
    )


def found_in(opened: Iterable[Opened], reading: Reading, notes: list[str]) -> Iterator[Found]:
    """What every stream holds. One that is nothing we read ends the import only if it is the first:
    after that rows are stored, and the report should say so."""
    for place, (name, stream) in enumerate(opened):
        try:
            yield from rows.read(stream, name, reading, notes)
        except UnsupportedFormat as error:
            if place == 0:
                raise
            yield Reject(file=name, line=1, code=error.code, message=error.message)


async def _start(client: Client, plan: Plan, names: tuple[str, ...]) -> UUID:
    command = StartImport(
        source=plan.source,
        files=names,
        by=plan.by,
        mode=plan.mode,
        duplicates=plan.duplicates,
    )
    started = await insist(
        lambda: ask_for(ImportStarted, client, imports.start, command, timeout=REPLY)
    )
    return started.id


async def _resume(client: Client, plan: Plan) -> UUID | None:
    """The import to go on with, if the plan names one: also after it was canceled."""
    if plan.resume is None:
        return None
    command = ResumeTask(id=plan.resume, by=plan.by)
    with contextlib.suppress(TaskState, TaskNotFound):  # it was never stopped, or is an old one
        await insist(lambda: ask_for(Task, client, tasks.resume, command, timeout=REPLY))
    return plan.resume


async def _send_all(
    client: Client, import_id: UUID, chunks: Iterable[Chunk], plan: Plan, progress: Progress
) -> int:
    """Send every chunk; how many there were. Raises: TooManyRejects, and as `import_streams`."""
    window, pace, flying = Window(), Pace(), set[asyncio.Task[None]]()
    counts, sent = ImportCounts(), 0

    async def send(chunk: Chunk) -> None:
        nonlocal counts
        done = await insist(lambda: _send(client, import_id, chunk, plan, window), window.refused)
        if plan.rejects is not None:
            plan.rejects.add(chunk.sources, done.rejects)
        counts += done.counts
        progress(counts)

    try:
        async with contextlib.aclosing(read_aside(chunks)) as read, asyncio.TaskGroup() as group:
            keeping = group.create_task(keep(client, pace))
            while True:
                while len(flying) >= window.size:
                    await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                if _too_many(counts, plan):
                    break
                chunk = await anext(read, None)
                if chunk is None:
                    break
                await asyncio.sleep(pace.pause(len(chunk)))
                sent += 1
                task = group.create_task(send(chunk))
                flying.add(task)
                task.add_done_callback(flying.discard)
            keeping.cancel()
    except* CasebookError as errors:
        raise errors.exceptions[0] from None  # the first says why; the others were cancelled
    if _too_many(counts, plan):
        message = f"{counts.rejected:,} of {counts.received:,} rows were rejected: stopped."
        raise TooManyRejects(message, id=str(import_id), counts=counts.model_dump())
    return sent


def _too_many(counts: ImportCounts, plan: Plan) -> bool:
    return plan.max_rejects is not None and counts.rejected > plan.max_rejects


async def _send(
    client: Client, import_id: UUID, chunk: Chunk, plan: Plan, window: Window
) -> ChunkDone:
    body: dict[str, Any] = {
        "import_id": str(import_id),
        "chunk": chunk.number,
        "digest": chunk.digest,
        "rows": chunk.rows,
        "rejects": chunk.rejects,
        "on_long": plan.on_long,
        "by": plan.by,
    }
    # The rows are encoded already; the worker validates the whole against ImportChunk.
    message = imports.chunk.message(body)
    began = asyncio.get_running_loop().time()
    reply = await client.call(message, timeout=REPLY, deadline=False)
    window.answered(asyncio.get_running_loop().time() - began)
    return ChunkDone.from_reply(reply)


async def insist(
    asking: Callable[[], Awaitable[R]], refused: Callable[[], None] = lambda: None
) -> R:
    """Ask until there is an answer: every step of an import is safe to repeat."""
    pause, give_up = PAUSE[0], asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await asking()
        except (Unavailable, NoReply):
            if asyncio.get_running_loop().time() > give_up:
                raise
            refused()
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE[1])
