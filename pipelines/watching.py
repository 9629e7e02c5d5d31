"""Files imported as they come into a folder, each once."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

from watchfiles import awatch

from actors import imports, tasks
from actors.broker.client import Client
from contracts.errors import (
    CasebookError,
    ChunkChanged,
    FolderUnusable,
    ImportFinished,
    ImportNotFound,
    ImportOtherwise,
    NoReply,
    RejectsUnwritable,
    SourceUnreadable,
    TaskNotFound,
    TaskState,
    Unavailable,
)
from contracts.imports import GetImport, ImportCounts, ImportReport
from contracts.tasks import CancelTask, Task, TaskError
from pipelines.ask import ask_for
from pipelines.formats.paths import told
from pipelines.importing import REPLY, Plan, import_streams, insist, reason_of, stop
from pipelines.inbox import Inbox
from pipelines.looks import Look, is_gone, look_at, unreadable
from pipelines.rejects import RejectsFile

log = logging.getLogger(__name__)

LOOK = 30.0  # seconds between two looks where nothing tells of changes (a network's file system)
AFRESH = 1.0  # seconds until it is listened again after a change of which nothing could be told
GRAIN = 0.01  # seconds by which a timer may be early
AGAIN = 10.0  # seconds until a file is tried again that found PostgreSQL or Redis away

#: What ends going on with an import, but not a new one of the same file.
NO_RESUME = (ChunkChanged, ImportFinished, ImportNotFound, ImportOtherwise)


@dataclasses.dataclass(frozen=True)
class Tried:
    """What became of one file. `again`: it stays where it is, to be taken once more. `gone`: it
    was removed before it could be put away. `stuck`: it is imported, and can't be put away."""

    path: Path
    report: ImportReport | None = None
    error: CasebookError | None = None
    again: bool = False
    gone: bool = False
    stuck: bool = False

    @property
    def name(self) -> str:
        """What the file is called where it is told."""
        return told(self.path.name)

    @property
    def failed(self) -> bool:
        """Whether someone has to look after it."""
        rejected = self.report is not None and self.report.counts.rejected > 0
        return not self.again and (self.error is not None or rejected)

    @property
    def state(self) -> str:
        """In a word: done, failed, again, gone, stuck."""
        for state in ("gone", "again", "stuck", "failed"):
            if getattr(self, state):
                return state
        return "done"

    @property
    def exit_code(self) -> int:
        """For who looks once: 0; 1 where someone has to look after it, also where it can't be read;
        3 where PostgreSQL or Redis was away."""
        if self.again and self.error is not None:
            return 3 if self.error.retryable else 1
        return 1 if self.failed else 0


class _Telling:
    """Tells of each file; of one that stays for the same reason as in the round before, no more."""

    def __init__(self, tried: Callable[[Tried], None]) -> None:
        self._tried = tried
        self._before: dict[str, str] = {}
        self._said: dict[str, str] = {}

    def begin(self) -> None:
        """Another round."""
        self._before, self._said = self._said, {}

    def __call__(self, one: Tried) -> None:
        """Tell of it."""
        if one.error is None or not (one.again or one.stuck):
            self._tried(one)
            return
        self._said[one.path.name] = one.error.message
        if self._before.get(one.path.name) != one.error.message:
            self._tried(one)


async def watch(
    client: Client, inbox: Inbox, plan: Plan, tried: Callable[[Tried], None], *, once: bool
) -> None:
    """Import what is in the folder and what comes; with `once`, end when nothing settles any more.

    Canceled, it leaves the file in hand where it is: the next one goes on with its import.
    Raises: RejectsUnwritable, FolderUnusable.
    """
    clock, changed = asyncio.get_running_loop().time, asyncio.Event()
    tell = _Telling(tried)
    async with _told(inbox.folder, changed):
        looked = False
        while True:
            changed.clear()
            tell.begin()
            ready, due = inbox.ready(clock())
            waits = await _round(client, inbox, ready, plan, tell)
            if once and (looked or due is None):
                return
            looked = True
            pause = min(AGAIN if waits else LOOK, LOOK if due is None else max(0.0, due - clock()))
            if once:
                await asyncio.sleep(pause + GRAIN)
            else:
                # A file that is being written tells of itself all the time.
                with contextlib.suppress(TimeoutError):
                    # Not wait_for: 3.11's loses a cancellation that comes together with the event.
                    async with asyncio.timeout(pause + GRAIN):
                        await changed.wait()


async def _round(
    client: Client, inbox: Inbox, ready: list[Path], plan: Plan, tell: _Telling
) -> bool:
    """Import what is ready; whether some of it is to be tried again soon."""
    await asyncio.to_thread(inbox.carry_on, asyncio.get_running_loop().time())
    for name, import_id in inbox.left():
        if (left := await _leave(client, inbox, name, import_id, plan.by)) is not None:
            tell(left)
    waits = False
    for path in ready:
        try:
            one = await _take(client, inbox, path, plan)
        except (RejectsUnwritable, FolderUnusable):
            inbox.unstage(path)
            raise
        if one is not None:
            tell(one)
            waits = waits or (one.again and one.error is not None)
    for name, trouble in inbox.unreadable.items():
        tell(Tried(inbox.folder / name, error=trouble, again=True))
    for name, reason in inbox.stuck.items():
        tell(Tried(inbox.folder / name, error=reason, stuck=True))
    return waits


@contextlib.asynccontextmanager
async def _told(folder: Path, changed: asyncio.Event) -> AsyncIterator[None]:
    async def listen() -> None:
        # Where the kernel gives no watch, looking every LOOK seconds will do.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            while True:
                try:
                    async for _ in awatch(folder, recursive=False, watch_filter=None, debounce=200):
                        changed.set()
                except ExceptionGroup as errors:  # a file has changed whose name is no UTF-8
                    log.debug("not told what has changed: %s", errors.exceptions[0])
                await asyncio.sleep(AFRESH)
                changed.set()

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _take(client: Client, inbox: Inbox, path: Path, plan: Plan) -> Tried | None:
    """Import one file and put it away; None where it is gone or was imported as it is."""
    look = look_at(path)
    if look is None:
        return None
    try:
        known = await asyncio.to_thread(inbox.take, path, look)
    except FileNotFoundError:
        return None
    except SourceUnreadable as error:
        return Tried(path, error=error, again=True)
    if known is None:
        return None
    report, failure = None, None
    try:
        if known.former is not None:
            await _cancel(client, known.former, plan.by)
        report = await _import(client, inbox, path, plan, known.import_id)
    except (Unavailable, NoReply) as error:
        return Tried(path, error=error, again=True)  # not the file's fault: it waits
    except FileNotFoundError:
        return None
    except (RejectsUnwritable, FolderUnusable):
        raise  # no fault of the file
    except CasebookError as error:
        failure = error
    except OSError as error:
        failure = unreadable(path, error)
    except Exception as error:  # a fault of ours, at this file: others may be well
        log.exception("the import of %s ended by a fault", told(path.name))
        failure = CasebookError(reason_of(error).message)
    return await _put_away(inbox, path, look, report, failure)


async def _leave(
    client: Client, inbox: Inbox, name: str, import_id: UUID | None, by: str
) -> Tried | None:
    """Say of the import of a file that is gone why nobody goes on with it; None where it had ended,
    or where nothing can be said now: it is looked at again."""
    gone = SourceUnreadable(f"{told(name)} was removed before its import had ended.")
    if import_id is not None:
        request = GetImport(id=import_id, limit=0)
        try:
            known = await ask_for(ImportReport, client, imports.report, request, timeout=REPLY)
        except (Unavailable, NoReply):
            return None
        except ImportNotFound:
            known = None
        if known is not None and known.finished_at is not None:  # it was only to be put away
            inbox.forget(name)
            return None
        await stop(client, import_id, by, TaskError(code=gone.code, message=gone.message))
    inbox.forget(name)
    return Tried(inbox.folder / name, error=gone, gone=True)


async def _put_away(
    inbox: Inbox,
    path: Path,
    look: Look,
    report: ImportReport | None,
    failure: CasebookError | None,
) -> Tried:
    one = Tried(path, report, failure)
    error = None
    if failure is not None:
        error = failure.as_dict()
    elif report is not None and one.failed:
        error = {
            "code": "ROWS_REJECTED",
            "message": f"{report.counts.rejected} of {report.counts.received} rows were rejected.",
            "details": report.model_dump(mode="json"),
        }
    stays = not await asyncio.to_thread(inbox.put_away, path, look, error)
    gone = stays and is_gone(path)
    return dataclasses.replace(one, again=stays and not gone, gone=gone)


async def _import(
    client: Client, inbox: Inbox, path: Path, plan: Plan, resume: UUID | None
) -> ImportReport:
    rejects = RejectsFile(inbox.staged(path), mark=plan.reading.encoding is not None)
    rejects.begin()  # what one left that was killed is of another import
    plan = dataclasses.replace(plan, rejects=rejects, resume=resume)
    # As `import FOLDER` calls it: an entry of Markdown has its id from that.
    name = told(f"{path.parent.name}/{path.name}")
    with path.open("rb") as stream:
        try:
            return await import_streams(
                client,
                [(name, stream)],
                plan,
                _unseen,
                lambda import_id: inbox.begun(path, import_id),
            )
        except NO_RESUME:
            if resume is None:
                raise
    await _cancel(client, resume, plan.by)
    return await _import(client, inbox, path, plan, None)


async def _cancel(client: Client, import_id: UUID, by: str) -> None:
    """End the task of an import that nobody goes on with."""
    command = CancelTask(id=import_id, by=by)
    with contextlib.suppress(TaskState, TaskNotFound):  # it has ended, or was never begun
        await insist(lambda: ask_for(Task, client, tasks.cancel, command, timeout=REPLY))


def _unseen(counts: ImportCounts) -> None:
    """A report for each file is enough."""
