"""What every route needs: the client, the time-outs, and how an answer becomes a response."""

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from actors.actor import Operation
from actors.broker.client import Client
from contracts.base import Write
from contracts.errors import NoReply
from pipelines.ask import ask


@dataclass
class Backend:
    """One a process, made when the app starts."""

    client: Client
    read_timeout: float  # seconds
    write_timeout: float  # seconds

    async def answer(
        self, operation: Operation[Any, Any], request: BaseModel, *, status: int = 200
    ) -> Response:
        """The operation's reply, its JSON untouched.

        A write that is not answered in time (PostgreSQL may be away) waits in its queue: 202 with
        the key, under which asking again gives the result.
        """
        timeout = self.read_timeout if operation.read else self.write_timeout
        try:
            body = await ask(self.client, operation, request, timeout=timeout)
        except NoReply:
            if isinstance(request, Write):
                return accepted(operation, request)
            raise
        return json_response(body, status)


def json_response(body: bytes, status: int = 200) -> Response:
    """A response of JSON that is already encoded."""
    return Response(body, status, media_type="application/json")


def accepted(operation: Operation[Any, Any], command: Write) -> Response:
    """202: kept, and done as soon as it can be."""
    body = {
        "status": "enqueued",
        "operation": operation.name,
        "key": command.key,
        "detail": "Kept in the queue and done as soon as the database answers. Send the same "
        "request with this key as Idempotency-Key to get its result.",
    }
    return json_response(orjson.dumps(body), 202)


def backend(request: Request) -> Backend:
    """The Backend of the app that serves `request`."""
    found: Backend = request.app.state.backend
    return found


BackendOf = Annotated[Backend, Depends(backend)]
