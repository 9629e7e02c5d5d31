"""/v1/tasks, and what starts one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from actors import tasks
from contracts.base import Text, new_id
from contracts.errors import WriteWaiting
from contracts.tasks import CancelTask, ListTasks, ResumeTask, Task, TaskPage, TaskStarted
from pipelines.tasks import get_task, reindex
from shim.backend import BackendOf, accepted, json_response
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS

router = APIRouter(tags=["tasks"], dependencies=NO_OTHERS)

Node = Annotated[Text, Field(min_length=1, max_length=100)]


@router.get("/v1/tasks", response_model=TaskPage)
async def list_page(
    backend: BackendOf, by: Caller, request: Annotated[ListTasks, Query()]
) -> Response:
    """List tasks, the newest first, a page at a time."""
    return await backend.answer(tasks.list_page, request)


@router.get("/v1/tasks/{task_id}", response_model=Task)
async def get(backend: BackendOf, by: Caller, task_id: UUID) -> Response:
    """One task with its steps."""
    task = await get_task(backend.client, task_id, timeout=backend.read_timeout)
    return json_response(task.model_dump_json().encode())


@router.post("/v1/tasks/{task_id}/cancel", response_model=Task)
async def cancel(backend: BackendOf, by: Caller, task_id: UUID, key: Key = None) -> Response:
    """Stop a task; what it has done stays."""
    command = CancelTask(id=task_id, key=key or str(new_id()), by=by)
    return await backend.answer(tasks.cancel, command)


@router.post("/v1/tasks/{task_id}/resume", response_model=Task)
async def resume(backend: BackendOf, by: Caller, task_id: UUID, key: Key = None) -> Response:
    """Go on with a canceled or failed task where it stopped."""
    command = ResumeTask(id=task_id, key=key or str(new_id()), by=by)
    return await backend.answer(tasks.resume, command)


@router.post("/v1/index/rebuild", status_code=202, response_model=TaskStarted)
async def rebuild_index(
    backend: BackendOf,
    by: Caller,
    node: Annotated[list[Node], Query(max_length=100, description="by default this one")] = [],  # noqa: B006  # FastAPI copies it
    key: Key = None,
) -> Response:
    """Build the index anew beside the old one, then compare it with PostgreSQL."""
    nodes = tuple(node) or (backend.node,)
    timeout = backend.write_timeout
    try:
        task = await reindex(backend.client, nodes, by=by, key=key, timeout=timeout)
    except WriteWaiting as waiting:
        return accepted(tasks.start, waiting)
    return json_response(TaskStarted(task=task).model_dump_json().encode(), 202)
