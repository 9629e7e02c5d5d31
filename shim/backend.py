"""What every route needs: the client, the time-outs, and how an answer becomes a response."""

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from actors.actor import Operation
from actors.broker.client import Client
from contracts.base import Write
from contracts.errors import WriteWaiting
from pipelines.ask import ask
from pipelines.tasks import ask_write


@dataclass
class Backend:
    """One a process, made when the app starts."""

    client: Client
    node: str
    read_timeout: float  # seconds
    write_timeout: float  # seconds

    async def answer(
        self, operation: Operation[Any, Any], request: BaseModel, *, status: int = 200
    ) -> Response:
        """The operation's reply, its JSON untouched.

        A write that waits in its queue (PostgreSQL is away) is answered 202 with a task to follow.
        """
        timeout = self.read_timeout if operation.read else self.write_timeout
        if not isinstance(request, Write):
            body = await ask(self.client, operation, request, timeout=timeout)
            return json_response(body, status)
        try:
            body = await ask_write(self.client, operation, request, timeout=timeout)
        except WriteWaiting as waiting:
            return accepted(operation, waiting)
        return json_response(body, status)


def json_response(body: bytes, status: int = 200) -> Response:
    """A response of JSON that is already encoded."""
    return Response(body, status, media_type="application/json")


def accepted(operation: Operation[Any, Any], waiting: WriteWaiting) -> Response:
    """202: kept, and done as soon as it can be."""
    task = waiting.details["task"]
    body = {
        "task": task,
        "status": "enqueued",
        "operation": operation.name,
        "key": waiting.details["key"],
        "detail": f"Kept in the queue and done as soon as the database answers: follow "
        f"/v1/tasks/{task}. The same request with this key as Idempotency-Key gets its result.",
    }
    return json_response(orjson.dumps(body), 202)


# A coroutine, as every dependency here: FastAPI calls plain functions in a thread of its pool.
async def backend(request: Request) -> Backend:
    """The Backend of the app that serves `request`."""
    found: Backend = request.app.state.backend
    return found


BackendOf = Annotated[Backend, Depends(backend)]
