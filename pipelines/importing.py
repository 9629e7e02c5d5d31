"""Bulk import: chunks in flight within a window, at the index's pace, each asked again until it has
its answer."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from actors import imports, tasks
from actors.broker.client import Client
from contracts.base import Nothing
from contracts.errors import (
    CasebookError,
    ImportOtherwise,
    ImportUndone,
    NoReply,
    TaskNotFound,
    TaskState,
    TooManyRejects,
    Unavailable,
)
from contracts.imports import (
    FILES_BYTES,
    FILES_MAX,
    NOTES_MAX,
    REMOVED_MAX,
    ChunkDone,
    Duplicates,
    FinishImport,
    GetImport,
    ImportCounts,
    ImportMode,
    ImportReport,
    ImportStarted,
    OnLong,
    StartImport,
    StopImport,
)
from contracts.mappings import Shape
from contracts.tasks import ResumeTask, Task, TaskError
from pipelines.ask import ask_for
from pipelines.chunks import Chunk, cut, read_aside
from pipelines.formats.rows import Reading
from pipelines.pace import Pace, keep
from pipelines.rejects import RejectsFile
from pipelines.whole import Opened, found_in
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
    #: Which of `mode` and `duplicates` somebody chose: an import that is resumed must have them.
    said: Collection[str] = ()


Progress = Callable[[ImportCounts], None]
Heard = Callable[[int], None]
R = TypeVar("R")


def unheard(number: int) -> None:
    """Nobody wants to know."""


async def import_streams(
    client: Client,
    streams: Iterable[Opened],
    plan: Plan,
    progress: Progress,
    begun: Callable[[UUID], None] = lambda import_id: None,
    *,
    names: Sequence[str] = (),
    sent: Heard = unheard,
    behind: Heard = unheard,
) -> ImportReport:
    """Import every named stream as one import; its report when all of it is stored.

    `names` are those of all streams, where they are known before they are opened.
    `begun` hears its id before anything of it is stored: who is stopped can go on with it. `sent`
    hears of the rows of each chunk when it is sent, `progress` the counts so far when one is
    answered, `behind` now and then how many changes the index has to go.
    Streams are read in a thread, a chunk at a time, so memory does not grow with their size.
    Raises: UnsupportedFormat, EncodingUnknown; ChunkChanged when `plan.resume` names an import of
    another file, ImportOtherwise when the plan says otherwise than that import, ImportUndone;
    ImportCanceled; TooManyRejects, when what was in flight is counted; RejectsUnwritable;
    ReplaceTooMuch, SourceCutShort (a replace needs every row), and the import can be resumed;
    Unavailable when something stays away for longer than PATIENCE. But for that, the import's task
    has failed then, and says why; also after what nobody expected.
    """
    streams = iter(streams)
    first = next(streams, None)
    names = names or ((first[0],) if first else ())
    kept = _kept(names)
    going_on = await _resume(client, plan, names)
    import_id, mode = going_on or await _start(client, plan, kept, len(names))
    begun(import_id)
    opened = itertools.chain([first] if first else [], streams)
    notes: list[str] = []
    found = found_in(opened, plan.reading, notes, mode)
    chunks = cut(found, plan.shape, notes, keep=plan.rejects is not None)
    try:
        telling = _Telling(progress, sent, behind)
        number = await _send_all(client, import_id, chunks, plan, telling)
        finish = FinishImport(
            import_id=import_id,
            chunks=number,
            notes=tuple(notes[:NOTES_MAX]),
            max_removed=plan.max_removed,
        )
        return await insist(
            lambda: ask_for(ImportReport, client, imports.finish, finish, timeout=REPLY)
        )
    except (Unavailable, NoReply):
        raise
    except Exception as error:
        await stop(client, import_id, plan.by, reason_of(error))
        raise


def reason_of(error: Exception) -> TaskError:
    """Why an import does not go on; of what nobody expected, what there is to say."""
    if isinstance(error, CasebookError):
        return TaskError(code=error.code, message=error.message)
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    text = f"{type(error).__name__}: {error}"[:1000].replace("\0", "\ufffd")
    message = text.encode(errors="backslashreplace").decode()
    return TaskError(code=CasebookError.code, message=message)


def _kept(names: Sequence[str]) -> tuple[str, ...]:
    """The first of them, as many as an import keeps."""
    sizes = itertools.accumulate(len(name.encode()) for name in names[:FILES_MAX])
    return tuple(name for name, size in zip(names, sizes, strict=False) if size <= FILES_BYTES)


async def _start(
    client: Client, plan: Plan, names: tuple[str, ...], count: int
) -> tuple[UUID, ImportMode]:
    command = StartImport(
        source=plan.source,
        files=names,
        file_count=count if count > len(names) else 0,
        by=plan.by,
        mode=plan.mode,
        duplicates=plan.duplicates,
    )
    started = await insist(
        lambda: ask_for(ImportStarted, client, imports.start, command, timeout=REPLY)
    )
    return started.id, plan.mode


async def _resume(
    client: Client, plan: Plan, names: Sequence[str]
) -> tuple[UUID, ImportMode] | None:
    """The import to go on with, if the plan names one: also after it was canceled. Its mode is
    what it began with."""
    if plan.resume is None:
        return None
    request = GetImport(id=plan.resume, limit=0)
    known = await insist(
        lambda: ask_for(ImportReport, client, imports.report, request, timeout=REPLY)
    )
    if known.undone_by is not None:
        raise ImportUndone.by(known.undone_by, plan.resume)
    _refuse_other(plan, known)
    refuse_fewer(names, known)
    command = ResumeTask(id=plan.resume, by=plan.by)
    with contextlib.suppress(TaskState, TaskNotFound):  # it was never stopped, or is an old one
        await insist(lambda: ask_for(Task, client, tasks.resume, command, timeout=REPLY))
    return plan.resume, known.mode


def _refuse_other(plan: Plan, known: ImportReport) -> None:
    """Raises: ImportOtherwise where the plan was told what the import to go on with is not."""
    asked = {name: getattr(plan, name) for name in ("mode", "duplicates") if name in plan.said}
    if plan.source:
        asked["source"] = plan.source
    began = {name: getattr(known, name) for name in asked}
    other = [f"{name} {began[name]!s:.100}" for name in asked if asked[name] != began[name]]
    if other:
        message = f"This import was begun with {', '.join(other)}: leave out what says otherwise."
        raise ImportOtherwise(message, id=str(known.id), **began)


def refuse_fewer(names: Sequence[str], known: ImportReport) -> None:
    """Raises: ImportOtherwise where these are not all files that the import was begun with. Of
    one that has none of its rows stored nothing else would tell."""
    given = set(names)
    missing = [name for name in known.files if name not in given]
    if missing or len(names) < known.file_count:
        gone = f" without {', '.join(missing[:10])}" if missing else ""
        raise ImportOtherwise(
            f"This import was begun with {known.file_count:,} files, and these are {len(names):,}"
            f"{gone}. The {known.counts.received:,} rows that it has read are kept: go on with all "
            "of its files, or begin a new import.",
            id=str(known.id),
            missing=missing[:10],
            file_count=known.file_count,
        )


async def stop(client: Client, import_id: UUID, by: str, reason: TaskError) -> None:
    """Leave word why it does not go on: only we know. The message waits for what is away; we
    don't."""
    command = StopImport(import_id=import_id, error=reason, by=by)
    with contextlib.suppress(CasebookError):
        await ask_for(Nothing, client, imports.stop, command, timeout=REPLY)


@dataclass(frozen=True)
class _Telling:
    progress: Progress
    sent: Heard
    behind: Heard


async def _send_all(
    client: Client, import_id: UUID, chunks: Iterable[Chunk], plan: Plan, telling: _Telling
) -> int:
    """Send every chunk; how many there were. Raises: TooManyRejects, and as `import_streams`.

    Where the source can't be read any further, what is in flight is stored first.
    """
    window, pace, flying = Window(), Pace(), set[asyncio.Task[None]]()
    counts, sent = ImportCounts(), 0
    unread: CasebookError | None = None

    async def send(chunk: Chunk) -> None:
        nonlocal counts
        done = await insist(lambda: _send(client, import_id, chunk, plan, window), window.refused)
        if plan.rejects is not None:
            plan.rejects.add(chunk.number, chunk.sources, done.rejects)
        counts += done.counts
        telling.progress(counts)

    try:
        async with contextlib.aclosing(read_aside(chunks)) as read, asyncio.TaskGroup() as group:
            keeping = group.create_task(keep(client, pace, telling.behind))
            while True:
                while len(flying) >= window.size:
                    await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                if too_many(counts, plan):
                    break
                try:
                    chunk = await anext(read, None)
                except CasebookError as error:
                    unread = error
                    break
                if chunk is None:
                    break
                await asyncio.sleep(pace.pause(len(chunk)))
                sent += 1
                telling.sent(len(chunk))
                task = group.create_task(send(chunk))
                flying.add(task)
                task.add_done_callback(flying.discard)
            keeping.cancel()
    except* CasebookError as errors:
        raise errors.exceptions[0] from None  # the first says why; the others were cancelled
    if plan.rejects is not None:
        await asyncio.to_thread(plan.rejects.sort)
    if unread is not None:
        raise unread
    if message := too_many(counts, plan):
        raise TooManyRejects(message, id=str(import_id), counts=counts.model_dump())
    if plan.rejects is not None:
        plan.rejects.begin()  # where there was no row
    return sent


def too_many(counts: ImportCounts, plan: Plan) -> str:
    """What to say where more rows were rejected than the plan allows; else nothing."""
    if plan.max_rejects is None or counts.rejected <= plan.max_rejects:
        return ""
    return f"{counts.rejected:,} of {counts.received:,} rows were rejected: stopped."


async def _send(
    client: Client, import_id: UUID, chunk: Chunk, plan: Plan, window: Window
) -> ChunkDone:
    body: dict[str, Any] = {
        "import_id": str(import_id),
        "chunk": chunk.number,
        "digest": chunk.digest,
        "rows": chunk.rows,
        "rejects": chunk.rejects,
        "named": chunk.named,
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
