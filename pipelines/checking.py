"""A dry run: every row is read, validated and compared with what is stored; nothing is written."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterable
from contextlib import aclosing

from actors import imports
from actors.broker.client import Client
from contracts.errors import CasebookError
from contracts.imports import (
    NOTES_MAX,
    ChunkChecked,
    ImportCheck,
    ImportCounts,
    ImportMode,
    Reject,
    StartImport,
)
from pipelines.chunks import Chunk, cut, read_aside
from pipelines.importing import REPLY, Opened, Plan, Progress, found_in, insist

REJECTS_MAX = 100  # of a report
WINDOW = 4  # chunks in flight: two threads answer reads


async def check_streams(
    client: Client, streams: Iterable[Opened], plan: Plan, progress: Progress
) -> ImportCheck:
    """What importing every named stream would do.

    Raises: UnsupportedFormat, EncodingUnknown, pydantic's ValidationError for a plan that no import
    can have; Unavailable when something stays away for longer than PATIENCE.
    """
    StartImport(source=plan.source, mode=plan.mode)
    notes: list[str] = []
    rejects: dict[int, tuple[Reject, ...]] = {}
    counts, live, named = ImportCounts(), 0, 0

    async def check(chunk: Chunk) -> None:
        nonlocal counts, live, named
        done = await insist(lambda: _check(client, chunk, plan))
        counts += done.counts
        live, named = done.live, named + done.named
        rejects[chunk.number] = done.rejects
        if len(rejects) > REJECTS_MAX:  # chunks, of which the first ones are shown
            _drop_last(rejects)
        progress(counts)

    sent = await _each(cut(found_in(streams, plan.reading, notes), plan.shape), check)
    if not sent:
        live = (await insist(lambda: _check(client, Chunk(0), plan))).live
    shown = itertools.chain.from_iterable(rejects[number] for number in sorted(rejects))
    return ImportCheck(
        source=plan.source,
        mode=plan.mode,
        counts=counts,
        archived=max(live - named, 0) if plan.mode is ImportMode.REPLACE else 0,
        notes=tuple(notes[:NOTES_MAX]),
        rejects=tuple(itertools.islice(shown, REJECTS_MAX)),
    )


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
            "on_long": plan.on_long,
        }
    )
    reply = await client.call(message, timeout=REPLY, deadline=True)
    return ChunkChecked.from_reply(reply)


def _drop_last(rejects: dict[int, tuple[Reject, ...]]) -> None:
    """Forget the rejects of the last chunk: memory does not grow with the file."""
    del rejects[max(rejects)]
