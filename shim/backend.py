"""What every route needs: the client, the time-outs, and how an answer becomes a response."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from actors.actor import Operation
from actors.broker.client import Client
from contracts.base import Write
from contracts.errors import WriteWaiting
from pipelines.answers import Answer, Answers
from pipelines.ask import ask
from pipelines.flights import Flights
from pipelines.question import Compute
from pipelines.tasks import ask_write

M = TypeVar("M", bound=BaseModel)
SOURCE, STALE = "Casebook-Cache", "Casebook-Stale"  # headers of an answer that may be kept
JSON = "application/json"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass
class Backend:
    """One a process, made when the app starts."""

    client: Client
    answers: Answers
    node: str
    read_timeout: float  # seconds
    write_timeout: float  # seconds
    #: Told where each answer came from.
    gave: Callable[[str], None] = lambda source: None
    #: Keys that are being checked.
    checks: Flights[str] = field(default_factory=Flights)

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

    async def read(
        self,
        operation: Operation[Any, Any],
        request: M,
        http: Request,
        compute: Compute[M] | None = None,
        *,
        key: str | None = None,
    ) -> Answer:
        """The answer that is nearest; computed anew for who sends `Cache-Control: no-cache`.

        `key` is its key, from who has looked what is hot (`Answers.at_hand`).
        """
        answer = await self.answers.get(
            operation.name,
            request,
            compute or self._asking(operation),
            timeout=self.read_timeout,
            anew=is_anew(http),
            key=key,
        )
        self.gave(answer.source)
        return answer

    async def read_first(self, operation: Operation[Any, Any], request: BaseModel) -> Answer:
        """The answer of now, and only where there is none the last known one."""
        return await self.answers.get_first(
            operation.name, request, self._asking(operation), timeout=self.read_timeout
        )

    def _asking(self, operation: Operation[Any, Any]) -> Compute[Any]:
        async def compute(request: BaseModel, timeout: float) -> bytes:
            return await ask(self.client, operation, request, timeout=timeout)

        return compute


def is_anew(http: Request) -> bool:
    """Whether the caller wants an answer that is computed for this request."""
    return "no-cache" in http.headers.get("cache-control", "")


def answered(
    answer: Answer,
    body: bytes | None = None,
    media_type: str = JSON,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response:
    """The response of an answer, with where it came from; `body` where it has another form."""
    told = {SOURCE: answer.source, **headers}
    if answer.age is not None:
        told["Age"] = str(int(answer.age))
    if answer.source == "stale":
        told[STALE] = f"{answer.age:g}"
    content = answer.body if body is None else body
    return Response(content, headers=told, media_type=media_type)


def json_response(body: bytes, status: int = 200) -> Response:
    """A response of JSON that is already encoded."""
    return Response(body, status, media_type=JSON)


def accepted(operation: Operation[Any, Any], waiting: WriteWaiting) -> Response:
    """202: kept, and done as soon as it can be."""
    task = waiting.details["task"]
    body = {
        "task": task,
        "status": "enqueued",
        "operation": operation.name,
        "key": waiting.details["key"],
        "detail": f"{waiting.message} Follow /v1/tasks/{task}. The same request with this key as "
        "Idempotency-Key gets its result.",
    }
    return json_response(orjson.dumps(body), 202)


# A coroutine, as every dependency here: FastAPI calls plain functions in a thread of its pool.
async def backend(request: Request) -> Backend:
    """The Backend of the app that serves `request`."""
    found: Backend = request.app.state.backend
    return found


BackendOf = Annotated[Backend, Depends(backend)]
