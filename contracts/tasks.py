"""Tasks: long operations that can be followed, canceled and taken up again."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from contracts.base import Contract, Text, Write

MEMBERS_MAX = 10_000  # of one step: they are stored in one transaction


class TaskStatus(StrEnum):
    """Where a task is. A failed one goes on when its dead letter is replayed."""

    ENQUEUED = "enqueued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class TaskError(Contract):
    """Why a task, or one member of it, failed; the dead letter tells all."""

    code: str
    message: str
    dead_letter: UUID | None = None


class Member(Contract):
    """One message of a step: the operation's name and its request."""

    actor: str
    request: dict[str, Any]
    #: Where it waits, if not in the operation's own queue (`index@NODE`).
    queue: str | None = None


class Step(Contract):
    """What runs side by side; the next step begins when every member has succeeded."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=MEMBERS_MAX)]


class StartTask(Write):
    """Store a pipeline and begin with its first step."""

    type: Annotated[str, Field(min_length=1, max_length=50)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=100)]
    details: dict[str, Any] = Field(default_factory=dict)


class TaskStarted(Contract):
    """The task that can be followed."""

    task: UUID


class AdoptWrite(Contract):
    """Make a row of a write that was not answered in time, so that tasks list it."""

    id: UUID
    operation: str
    key: str
    by: str
    enqueued_at: datetime


class GetTask(Contract):
    """Read one task."""

    id: UUID


class CancelTask(Write):
    """Stop a task. What was done stays; what runs ends at its next look, within 2 s."""

    id: UUID


class ResumeTask(Write):
    """Go on with a canceled or failed task where it stopped."""

    id: UUID


class ListTasks(Contract):
    """Ask for one page of tasks, the newest first."""

    status: TaskStatus | None = None
    type: Annotated[Text, Field(max_length=50)] | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class StepState(Contract):
    """How far one step is; `result` is that of a single member."""

    name: str
    status: str
    members: int
    succeeded: int
    failed: int
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any = None
    error: TaskError | None = None


class Task(Contract):
    """All that is known of a task.

    `done` and `total` count what the task counts: rows, letters, entries or members.
    """

    id: UUID
    type: str
    status: TaskStatus
    by: str
    enqueued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    done: int = 0
    total: int | None = None
    details: dict[str, Any] = Field(default_factory=dict)
    result: Any = None
    error: TaskError | None = None
    steps: tuple[StepState, ...] = ()
    #: What the task wrote can be found by searches once the index has reached this position.
    position: str | None = None
    #: Whether the answering node's index has; None where there is no position.
    searchable: bool | None = None


class TaskPage(Contract):
    """One page, without steps; `next_cursor` is None on the last."""

    tasks: tuple[Task, ...]
    next_cursor: UUID | None = None
