"""Tasks: started, watched, stopped; also those that so far are only in Redis."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from actors import index, tasks
from actors.actor import Operation
from actors.broker import queues as rooms
from actors.broker.client import Client
from actors.queues import queue_of
from contracts.base import Write, new_id
from contracts.errors import CasebookError, NoReply, TaskNotFound, Unavailable, WriteWaiting
from contracts.search import RebuildIndex, VerifyIndex
from contracts.tasks import (
    AdoptWrite,
    GetTask,
    Member,
    StartTask,
    Step,
    Task,
    TaskStarted,
    TaskStatus,
)
from pipelines.ask import ask, ask_for

log = logging.getLogger(__name__)

KEPT = 7 * 86_400_000  # ms that a write's task is known to Redis: its row is made before that
PAUSE = 0.1, 1.0  # seconds: first and longest between two looks at a task
ENDED = (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELED)


async def follow_write(
    client: Client, operation: Operation[Any, Any], command: Write, task: str
) -> None:
    """Make a task of a write that was not answered in time.

    `task` is its message's id. What goes wrong here costs the task, not the write.
    """
    adoption = AdoptWrite(
        id=UUID(task),
        operation=operation.name,
        key=command.key,
        by=command.by,
        enqueued_at=datetime.now(UTC),
    )
    try:
        await client.keep(f"task:{task}", adoption.model_dump_json().encode(), KEPT)
        await client.send(tasks.adopt.message(adoption))
    except CasebookError as error:
        log.warning("the write %s can't be followed: %s", task, error.message)


async def ask_write(
    client: Client, operation: Operation[Any, Any], command: Write, *, timeout: float
) -> bytes:
    """The JSON of a write's reply, within `timeout` seconds.

    Raises: WriteWaiting, whose details have `task` and `key`, when it is kept and will be done
    later (sooner than `timeout` where PostgreSQL is away); what the operation answers with, and
    what `Client.call` raises.
    """
    try:
        return await ask(client, operation, command, timeout=timeout, early=True)
    except NoReply as error:
        task = str(error.details["task"])
        await follow_write(client, operation, command, task)
        known = isinstance(error, WriteWaiting)
        message = None if known else f"{error.message} {await _why(client, operation.queue)}"
        raise WriteWaiting(message, task=task, key=command.key) from error


async def _why(client: Client, queue: str) -> str:
    """Why a write may wait, and what lets it go on."""
    try:
        paused = (await asyncio.to_thread(rooms.state, client.broker, queue)).paused
    except CasebookError:
        paused = None
    if paused is None:
        return "The write is kept in its queue and done when its turn comes."
    return (
        f"The write is kept in its queue, which {paused.by or 'somebody'} has paused; it is done "
        f"after `casebook queues resume {queue}`."
    )


async def get_task(client: Client, task: UUID, *, timeout: float) -> Task:
    """A task; while PostgreSQL is away, what Redis knows of it. Raises: TaskNotFound."""
    try:
        return await ask_for(Task, client, tasks.get, GetTask(id=task), timeout=timeout)
    except (TaskNotFound, Unavailable, NoReply):
        kept = await client.kept(f"task:{task}")
        if kept is None:
            raise
    adoption = AdoptWrite.from_json(kept)
    return Task(
        id=task,
        type="write",
        status=TaskStatus.ENQUEUED,
        by=adoption.by,
        enqueued_at=adoption.enqueued_at,
        details={"operation": adoption.operation, "key": adoption.key},
    )


async def follow(
    client: Client, task: UUID, seen: Callable[[Task], None], *, timeout: float
) -> Task:
    """The task when it has ended, shown to `seen` at every look meanwhile.

    `timeout` is that of one look, in seconds. What is away is waited for.
    """
    pause = PAUSE[0]
    while True:
        try:
            found = await get_task(client, task, timeout=timeout)
        except (Unavailable, NoReply) as error:
            log.info("the task can't be read at the moment: %s", error.message)
        else:
            seen(found)
            if found.status in ENDED:
                return found
        await asyncio.sleep(pause)
        pause = min(1.5 * pause, PAUSE[1])


async def reindex(
    client: Client, nodes: tuple[str, ...], *, by: str, key: str | None = None, timeout: float
) -> UUID:
    """Start building the indexes of these nodes anew, then comparing each with PostgreSQL.

    Raises as `ask_write`.
    """
    # One key for all: members with new ones would make the same request another one.
    key = key or str(new_id())
    request = RebuildIndex(key=key, by=by).model_dump(mode="json")
    rebuild = Member(actor=index.rebuild.name, request=request)
    verify = Member(actor=index.verify.name, request=VerifyIndex().model_dump(mode="json"))
    steps = tuple(
        Step(
            name=name,
            members=tuple(member.model_copy(update={"queue": queue_of(node)}) for node in nodes),
        )
        for name, member in (("rebuild", rebuild), ("verify", verify))
    )
    details = {"nodes": list(nodes)}
    command = StartTask(type="reindex", steps=steps, details=details, by=by, key=key)
    started = await ask_write(client, tasks.start, command, timeout=timeout)
    return TaskStarted.from_reply(started).task
