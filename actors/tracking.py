"""Tracked tasks: steps whose members are messages, counted in a table.

A member's message carries `task`: (task id, step, member). Its arrival, its failure and the next
step are rows; the messages are sent after the commit, under a token, so that sending again what
may have been sent is harmless (`tasks.sweep` does).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import dramatiq
import orjson
from psycopg.types.json import Jsonb

from actors.broker.broker import StreamsBroker
from contracts.base import new_id
from contracts.errors import TaskCanceled, TaskNotFound
from contracts.operation import current
from contracts.tasks import Member, Step, StepState, Task, TaskError
from storage.postgres.store import Row, Store, Transaction

#: Columns of `tasks.get` that a Task has by the same name.
COLUMNS = (
    "id", "type", "status", "enqueued_at", "started_at", "finished_at", "done", "total", "details",
    "result",
)  # fmt: skip

WRITE = "write"  # the type of a task that is one write: neither steps nor members

Due = tuple[dramatiq.Message[Any], str]  # a message and the token under which it is sent once


class Place(NamedTuple):
    """Whose member a message is."""

    task: UUID
    step: int
    member: int

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Place | None":
        """The place that a message's options name, if it is tracked."""
        try:
            task, step, member = options["task"]
            return cls(UUID(task), int(step), int(member))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    @property
    def parameters(self) -> dict[str, Any]:
        """As parameters of a statement."""
        return {"id": self.task, "step": self.step, "member": self.member}


class Tracked:
    """A running member's view of its task. Outside a task it does nothing."""

    def __init__(self, broker: StreamsBroker, store: Store) -> None:
        self._broker = broker
        self._store = store

    def report(self, done: int, total: int | None = None) -> None:
        """Say how far it is. Raises: TaskCanceled, which the actor lets through."""
        if (place := self._place()) is not None:
            with self._store.transaction() as tx:
                tx.run("tasks.progress", id=place.task, done=done, total=total)
        self.check()

    def check(self) -> None:
        """Raises: TaskCanceled when someone has canceled the task."""
        if (place := self._place()) is not None:
            with self._store.transaction() as tx:
                row = tx.row("tasks.status", id=place.task)
            if row is None or row["status"] == "canceled":
                raise TaskCanceled()

    def _place(self) -> Place | None:
        delivery = self._broker.delivery
        return Place.of(delivery.options) if delivery is not None else None


def open_task(
    tx: Transaction,
    task_id: UUID,
    kind: str,
    by: str,
    *,
    status: str = "enqueued",
    details: Mapping[str, Any] | None = None,
    total: int | None = None,
    key: str | None = None,
    enqueued_at: Any = None,
) -> None:
    """Make a task's row, unless it is there."""
    tx.run(
        "tasks.open",
        id=task_id,
        type=kind,
        status=status,
        by=by,
        operation_id=current()[:200],
        details=Jsonb(dict(details or {})),
        total=total,
        key=key,
        enqueued_at=enqueued_at,
    )


def add_steps(tx: Transaction, task_id: UUID, steps: Iterable[Step]) -> None:
    """Store the steps of a task, none of them begun."""
    for number, step in enumerate(steps):
        tx.run("tasks.add_step", task_id=task_id, step=number, name=step.name)
        members = [_member(place, member) for place, member in enumerate(step.members)]
        encoded = orjson.dumps(members).decode()
        tx.run("tasks.add_members", task_id=task_id, step=number, members=encoded)


def _member(place: int, member: Member) -> dict[str, Any]:
    return {"member": place, "message_id": str(new_id()), **member.model_dump(mode="json")}


def advance(tx: Transaction, task_id: UUID) -> bool:
    """Begin the next step, or end the task after the last; whether there is something to send."""
    if (row := tx.row("tasks.next_step", id=task_id)) is not None:
        tx.run("tasks.send_members", id=task_id, step=row["step"])
        return True
    if (tx.row("tasks.all_steps_succeeded", id=task_id) or {})["succeeded"]:
        tx.run("tasks.succeed", id=task_id)
    return False


def arrived(tx: Transaction, place: Place, result: bytes) -> bool:
    """Record that a member has succeeded; whether there is something to send.

    Once, however often it arrives: what counts is its row. Members that arrive side by side wait
    for each other at the task's row, so that exactly one of them finds its step complete. Of a
    canceled task nothing further begins: resuming it does that.
    """
    task = tx.row("tasks.lock", id=place.task)
    if task is None:
        return False
    if not tx.run("tasks.member_done", **place.parameters, result=result.decode()):
        return True  # the messages after it may not have been sent
    tx.run("tasks.reopen", id=place.task)
    tx.run("tasks.finish_step", id=place.task, step=place.step)
    return task["status"] != "canceled" and advance(tx, place.task)


def failed(tx: Transaction, place: Place, error: TaskError) -> None:
    """Record that a member is a dead letter now. Its task fails; other members go on."""
    if tx.row("tasks.lock", id=place.task) is None:
        return
    encoded = Jsonb(error.model_dump(mode="json"))
    if tx.run("tasks.member_failed", **place.parameters, error=encoded):
        tx.run("tasks.fail", id=place.task)


def due(tx: Transaction, broker: StreamsBroker, task_id: UUID) -> list[Due]:
    """The messages of a task that should be on their way."""
    return [_due(broker, row) for row in tx.rows("tasks.due", id=task_id)]


def _due(broker: StreamsBroker, row: Row) -> Due:
    queue = row["queue"] or broker.get_actor(row["actor"]).queue_name
    broker.declare_queue(queue)
    place = [str(row["task_id"]), row["step"], row["member"]]
    message: dramatiq.Message[Any] = dramatiq.Message(
        queue_name=queue,
        actor_name=row["actor"],
        args=(row["request"],),
        kwargs={},
        options={
            "task": place,
            "send": row["sends"],
            "replays": row["sends"] - 1,
            "operation_id": place[0],
        },
        message_id=str(row["message_id"]),
    )
    return message, "task:{}:{}:{}:{}".format(*place, row["sends"])


def send_due(store: Store, broker: StreamsBroker, task_id: UUID) -> None:
    """Send what of a task should be on its way. Raises as `send`."""
    with store.transaction() as tx:
        messages = due(tx, broker, task_id)
    send(broker, messages)


def send(broker: StreamsBroker, messages: Sequence[Due]) -> None:
    """Send what was not sent yet. Raises: QueueUnavailable, QueueFull."""
    broker.enqueue_many(messages)


def check_known(broker: StreamsBroker, steps: Iterable[Step]) -> list[str]:
    """The operations in `steps` that this release does not have."""
    names = {member.actor for step in steps for member in step.members}
    return sorted(names - set(broker.actors))


def read_task(tx: Transaction, task_id: UUID) -> Task:
    """A task with its steps. Raises: TaskNotFound."""
    rows = tx.rows("tasks.get", ("id",), id=task_id, limit=1)
    if not rows:
        raise TaskNotFound(id=str(task_id))
    steps = tuple(StepState(**row) for row in tx.rows("tasks.steps", id=task_id))
    task = from_row(tx, rows[0])
    error = task.error or next((step.error for step in steps if step.error), None)
    return task.model_copy(update={"steps": steps, "error": error})


def from_row(tx: Transaction, row: Row) -> Task:
    """A row of `tasks.get` as a Task without steps."""
    error = TaskError(**row["error"]) if row["error"] else None
    if row["status"] == "failed" and row["type"] == "import" and "stopped" in row["details"]:
        error = TaskError(**row["details"]["stopped"])
    if row["dead_letter"] is not None:
        error = TaskError(
            code=row["dead_error"], message=row["dead_message"], dead_letter=row["dead_letter"]
        )
    position = row["txid"] and tx.position(row["txid"], row["seq"])
    if position is None and isinstance(row["result"], dict):
        position = row["result"].get("position")
    return Task(
        by=row["started_by"],
        error=error,
        position=str(position) if position else None,
        **{name: row[name] for name in COLUMNS},
    )
