"""A dry run: every row is read, validated and compared with what is stored; nothing is written."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from actors import imports
from actors.broker.client import Client
from actors.staging import kept_notes, refuse_too_much
from contracts.errors import CasebookError, ReplaceTooMuch, TooManyRejects, ValidationFailed
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
from pipelines.importing import REPLY, Heard, Plan, Progress, insist, too_many, unheard
from pipelines.whole import Opened, found_in

REJECTS_MAX = 100  # of a report
WINDOW = 4  # chunks in flight: two threads answer reads

#: Hears what became of a chunk; whether the next one is wanted.
Take = Callable[[Chunk, ChunkChecked], bool]


@dataclass
class _Tally:
    """What all chunks so far come to."""

    counts: ImportCounts = field(default_factory=ImportCounts)
    live: int = 0
    named: int = 0
    unsure: bool = False
    rejects: list[Reject] = field(default_factory=list)  # the first of them

    def add(self, done: ChunkChecked) -> None:
        self.counts += done.counts
        self.live, self.named = done.live, self.named + done.named
        self.unsure = self.unsure or done.unsure
        self.rejects += done.rejects[: REJECTS_MAX - len(self.rejects)]


async def check_streams(
    client: Client,
    streams: Iterable[Opened],
    plan: Plan,
    progress: Progress,
    *,
    sent: Heard = unheard,
) -> ImportCheck:
    """What importing every named stream would do; with more rejects than `plan` allows, up to the
    chunk that had them. Rejected rows are written as an import would, and nothing else is. It
    tells of it as `import_streams`.

    Raises: UnsupportedFormat, EncodingUnknown, SourceCutShort, RejectsUnwritable, pydantic's
    ValidationError and ValidationFailed for a plan that no dry run can have; Unavailable when
    something stays away for longer than PATIENCE.
    """
    _refuse(plan)
    notes: list[str] = []
    tally = _Tally()

    def take(chunk: Chunk, done: ChunkChecked) -> bool:
        tally.add(done)
        if plan.rejects is not None:
            plan.rejects.add(chunk.number, chunk.sources, done.rejects)
        progress(tally.counts)
        return not too_many(tally.counts, plan)

    found = found_in(streams, plan.reading, notes, plan.mode)
    chunks = cut(found, plan.shape, notes, keep=plan.rejects is not None)
    if not await _each(client, chunks, plan, take, sent):
        take(Chunk(0), await insist(lambda: _check(client, Chunk(0), plan)))
    return _report(tally, plan, notes)


def _refuse(plan: Plan) -> None:
    StartImport(source=plan.source, mode=plan.mode)
    if plan.resume is not None:
        raise ValidationFailed("A dry run begins no import, and goes on with none: leave one out.")


def _report(tally: _Tally, plan: Plan, notes: list[str]) -> ImportCheck:
    """A replace that ends before the last row archives nothing, nor does one that is unsure."""
    stopped, missing = too_many(tally.counts, plan), 0
    if plan.mode is ImportMode.REPLACE and not stopped:
        missing = max(tally.live - tally.named, 0)
    error = None if tally.unsure else _refusal(plan, tally.live, missing)
    if stopped:
        error = TaskError(code=TooManyRejects.code, message=stopped)
    return ImportCheck(
        source=plan.source,
        mode=plan.mode,
        counts=tally.counts,
        archived=0 if tally.unsure else missing,
        error=error,
        notes=tuple([*(kept_notes(missing) if tally.unsure else ()), *notes][:NOTES_MAX]),
        rejects=tuple(tally.rejects),
    )


def _refusal(plan: Plan, live: int, missing: int) -> TaskError | None:
    try:
        refuse_too_much(plan.source, live, missing, plan.max_removed)
    except ReplaceTooMuch as error:
        return TaskError(code=error.code, message=error.message)
    return None


async def _each(
    client: Client, chunks: Iterable[Chunk], plan: Plan, take: Take, sent: Heard
) -> int:
    """Check every chunk, until `take` wants no more; how many there were.

    They are read in a thread, some ahead; `take` hears of them in the order of the source.
    """
    count, more, flying = 0, True, deque[tuple[Chunk, asyncio.Task[ChunkChecked]]]()
    try:
        async with aclosing(read_aside(chunks)) as read, asyncio.TaskGroup() as group:
            while more:
                chunk = await anext(read, None)
                if chunk is not None:
                    count += 1
                    sent(len(chunk))
                    flying.append((chunk, group.create_task(_asked(client, chunk, plan))))
                while more and flying and (chunk is None or len(flying) >= WINDOW):
                    first, task = flying.popleft()
                    more = take(first, await task)
                more = more and chunk is not None
            for _, task in flying:
                task.cancel()
    except* CasebookError as errors:
        raise errors.exceptions[0] from None
    return count


async def _asked(client: Client, chunk: Chunk, plan: Plan) -> ChunkChecked:
    return await insist(lambda: _check(client, chunk, plan))


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
