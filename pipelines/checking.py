"""A dry run: every row is read, validated and compared with what is stored; nothing is written."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterable
from contextlib import aclosing

from actors import imports
from actors.broker.client import Client
from actors.staging import kept_notes, refuse_too_much
from contracts.errors import CasebookError, ReplaceTooMuch
from contracts.imports import (
    NOTES_MAX,
    ChunkChecked,
    ImportCheck,
    ImportCounts,
    ImportMode,
    Reject,
    StartImport,
)
from contracts.tasks import TaskError
from pipelines.chunks import Chunk, cut, read_aside
from pipelines.importing import REPLY, Plan, Progress, insist
from pipelines.whole import Opened, found_in

REJECTS_MAX = 100  # of a report
WINDOW = 4  # chunks in flight: two threads answer reads


async def check_streams(
    client: Client, streams: Iterable[Opened], plan: Plan, progress: Progress
) -> ImportCheck:
    """What importing every named stream would do.

    Raises: UnsupportedFormat, EncodingUnknown, SourceCutShort, pydantic's ValidationError for a
    plan that no import can have; Unavailable when something stays away for longer than PATIENCE.
    """
    StartImport(source=plan.source, mode=plan.mode)
    notes: list[str] = []
    rejects: dict[int, tuple[Reject, ...]] = {}
    counts, live, named, unsure = ImportCounts(), 0, 0, False

    async def check(chunk: Chunk) -> None:
        nonlocal counts, live, named, unsure
        done = await insist(lambda: _check(client, chunk, plan))
        counts += done.counts
        live, named, unsure = done.live, named + done.named, unsure or done.unsure
        rejects[chunk.number] = done.rejects
        if len(rejects) > REJECTS_MAX:  # chunks, of which the first ones are shown
            _drop_last(rejects)
        progress(counts)

    sent = await _each(cut(found_in(streams, plan.reading, notes, plan.mode), plan.shape), check)
    if not sent:
        live = (await insist(lambda: _check(client, Chunk(0), plan))).live
    missing = max(live - named, 0) if plan.mode is ImportMode.REPLACE else 0
    error = None if unsure else _refusal(plan, live, missing)
    notes = [*(kept_notes(missing) if unsure else ()), *notes]
    shown = itertools.chain.from_iterable(rejects[number] for number in sorted(rejects))
    return ImportCheck(
        source=plan.source,
        mode=plan.mode,
        counts=counts,
        archived=0 if unsure else missing,
        error=error,
        notes=tuple(notes[:NOTES_MAX]),
        rejects=tuple(itertools.islice(shown, REJECTS_MAX)),
    )


def _refusal(plan: Plan, live: int, missing: int) -> TaskError | None:
    try:
        refuse_too_much(plan.source, live, missing, plan.max_removed)
    except ReplaceTooMuch as error:
        return TaskError(code=error.code, message=error.message)
    return None


async def _each(
    chunks: Iterable[Chunk], check: Callable[[Chunk], Coroutine[None, None, None]]
) -> int:
    """Check every chunk; how many there were. They are read in a thread, some ahead."""
    sent, flying = 0, set[asyncio.Task[None]]()
    try:
        async with aclosing(read_aside(chunks)) as read, asyncio.TaskGroup() as group:
            async for chunk in read:
                sent += 1
                task = group.create_task(check(chunk))
                flying.add(task)
                task.add_done_callback(flying.discard)
                while len(flying) >= WINDOW:
                    await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
    except* CasebookError as errors:
        raise errors.exceptions[0] from None
    return sent


async def _check(client: Client, chunk: Chunk, plan: Plan) -> ChunkChecked:
    message = imports.check.message(
        {
            "source": plan.source,
            "mode": plan.mode,
            "duplicates": plan.duplicates,
            "rows": chunk.rows,
            "rejects": chunk.rejects,
            "named": chunk.named,
            "on_long": plan.on_long,
        }
    )
    reply = await client.call(message, timeout=REPLY, deadline=True)
    return ChunkChecked.from_reply(reply)


def _drop_last(rejects: dict[int, tuple[Reject, ...]]) -> None:
    """Forget the rejects of the last chunk: memory does not grow with the file."""
    del rejects[max(rejects)]
