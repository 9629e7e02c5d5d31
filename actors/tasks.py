"""Tasks: read, canceled, taken up again; and sent on where a message was lost."""

from uuid import UUID

from actors import tracking
from actors.actor import actor
from actors.broker.broker import StreamsBroker
from contracts.base import Nothing, new_id
from contracts.errors import ImportUndone, TaskNotFound, TaskState, ValidationFailed
from contracts.position import Position
from contracts.tasks import (
    AdoptWrite,
    CancelTask,
    GetTask,
    ListTasks,
    ResumeTask,
    StartTask,
    Task,
    TaskPage,
    TaskStarted,
)
from storage.index.searcher import IndexReader
from storage.postgres.effects import once
from storage.postgres.store import Store, Transaction


@actor(queue="operators")
def start(command: StartTask, store: Store, broker: StreamsBroker) -> TaskStarted:
    """Store a pipeline and send the members of its first step.

    Raises: ValidationFailed for an operation that this release does not have.
    """
    unknown = tracking.check_known(broker, command.steps)
    if unknown:
        message = f"there is no operation {', '.join(unknown)}"
        errors = [{"field": "steps", "code": "UNKNOWN_ACTOR", "message": message}]
        raise ValidationFailed(errors=errors)

    def effect(tx: Transaction) -> TaskStarted:
        task_id = new_id()
        tracking.open_task(tx, task_id, command.type, command.by, details=command.details)
        tracking.add_steps(tx, task_id, command.steps)
        tracking.advance(tx, task_id)
        return TaskStarted(task=task_id)

    started = once(store, "tasks.start", command, TaskStarted, effect)
    tracking.send_due(store, broker, started.task)
    return started


@actor(queue="operators", read=True)
def get(request: GetTask, store: Store, index: IndexReader) -> Task:
    """One task with its steps. Raises: TaskNotFound."""
    with store.transaction() as tx:
        return _searchable(tracking.read_task(tx, request.id), index)


@actor(queue="operators", read=True)
def list_page(request: ListTasks, store: Store, index: IndexReader) -> TaskPage:
    """One page of tasks, the newest first."""
    given = request.model_dump(exclude={"limit"}, exclude_none=True)
    with store.transaction() as tx:
        rows = tx.rows("tasks.get", tuple(given), limit=request.limit + 1, **given)
        found = tuple(
            _searchable(tracking.from_row(tx, row), index) for row in rows[: request.limit]
        )
    more = len(rows) > request.limit
    return TaskPage(tasks=found, next_cursor=found[-1].id if more else None)


@actor(queue="operators")
def cancel(command: CancelTask, store: Store) -> Task:
    """Stop a task; canceling it again changes nothing. Raises: TaskNotFound, TaskState."""

    def effect(tx: Transaction) -> Task:
        status = _status(tx, command.id)
        if tx.row("tasks.cancel", id=command.id) is None and status != "canceled":
            raise TaskState(f"The task has {status} already.", state=status)
        return tracking.read_task(tx, command.id)

    # Under its key: a second arrival must not stop what someone has resumed meanwhile.
    return once(store, "tasks.cancel", command, Task, effect)


@actor(queue="operators")
def resume(command: ResumeTask, store: Store, broker: StreamsBroker) -> Task:
    """Go on where a canceled or failed task stopped; its dead letters are sent again.

    Raises: TaskNotFound, TaskState; ImportUndone for an import that was taken back.
    """

    def effect(tx: Transaction) -> Task:
        status = _status(tx, command.id)
        if (undone := tx.row("imports.undone_by", id=command.id)) is not None:
            raise ImportUndone.by(undone["undone_by"], command.id)
        if status in ("succeeded", "enqueued"):
            raise TaskState(f"The task is {status}: nothing to resume.", state=status)
        if tx.row("tasks.resume", id=command.id) is not None:
            tx.run("tasks.resume_members", id=command.id)
            tx.run("tasks.resume_letters", id=command.id, by=command.by)
            tracking.advance(tx, command.id)  # its last member may have ended after the cancel
        return tracking.read_task(tx, command.id)

    task = once(store, "tasks.resume", command, Task, effect)
    tracking.send_due(store, broker, command.id)
    return task


@actor(queue="entries")
def adopt(command: AdoptWrite, store: Store) -> Nothing:
    """Make a row of a write that waits, so that lists show it; its effect tells how it ended."""
    with store.transaction() as tx:
        tracking.open_task(
            tx,
            command.id,
            tracking.WRITE,
            command.by,
            details={"operation": command.operation, "key": command.key},
            key=command.key,
            enqueued_at=command.enqueued_at,
        )
    return Nothing()


@actor(queue="upkeep")
def sweep(request: Nothing, store: Store, broker: StreamsBroker) -> Nothing:
    """Send again what should be on its way, and end the tasks of writes that have ended.

    Who recorded that a message is to be sent may have died before it was.

    What is still on its way is not doubled: the broker knows its token for a day.
    """
    with store.transaction() as tx:
        tx.run("tasks.end_writes")
        tx.run("dead_letters.give_back")
        idle = [row["id"] for row in tx.rows("tasks.idle")]
    for task_id in idle:
        tracking.send_due(store, broker, task_id)
    return Nothing()


def _status(tx: Transaction, task_id: UUID) -> str:
    """The task's status, locked. Raises: TaskNotFound; TaskState for a single write."""
    row = tx.row("tasks.lock", id=task_id)
    if row is None:
        raise TaskNotFound(id=str(task_id))
    if row["type"] == tracking.WRITE:
        # Its message knows of no task: nothing would stop it, or send it again.
        raise TaskState(
            "A single write can't be canceled or resumed: it is done once PostgreSQL answers; "
            "where it failed, replay its dead letter.",
            state=row["status"],
        )
    return str(row["status"])


def _searchable(task: Task, index: IndexReader) -> Task:
    """Whether this node's index has what the task wrote."""
    if task.position is None:
        return task
    published = index.published()
    reached = published is not None and published.position.reaches(Position.parse(task.position))
    return task.model_copy(update={"searchable": reached})
