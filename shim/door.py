"""Before anything is read of a request: is there any use in it? Is its caller still there?

Behind the door (routing, checking, the broker's client) a refusal costs several times as much, and
who refuses many would have no time left to answer.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.broker.admission import Admission, Coming
from actors.metrics.meters import Meters
from contracts.errors import Overloaded
from contracts.operation import begin
from contracts.search import SearchQuery
from contracts.similar import MoreLikeThis
from contracts.suggest import Suggest
from shim.keys import known
from shim.metrics import method_of, traceparent
from shim.problems import KIND, body_of

#: Paths, beginning so, by what their requests wait for: reads first, then writes.
QUEUES = {
    "/v1/search": ("search", "search"),
    "/v1/suggest": ("search", "search"),
    "/v1/similar": ("search", "search"),
    "/v1/entries": ("reads", "entries"),
}
READS = ("GET", "HEAD")
ANSWERED = 20_000  # requests whose like may be in a cache
PATIENCE = 0.1  # seconds that a read waits before we look whether somebody still wants it

#: Parameters that say what holds without them.
DEFAULTS = frozenset(
    f"{name}={str(field.default).lower()}".encode()
    for contract in (SearchQuery, Suggest, MoreLikeThis)
    for name, field in contract.model_fields.items()
    if isinstance(field.default, str | int)
)
Target = tuple[str, bytes]


class Door:
    """ASGI: refuses what its queue would refuse, and ends reads whose callers have gone.

    What was answered before is let in, in whichever form it is asked for by GET: a cache may know
    it, and caches are never full.
    """

    def __init__(self, app: ASGIApp, admission: Admission, meters: Meters | None = None) -> None:
        self._app = app
        self._admission = admission
        self._meters = meters
        self._answered: dict[Target, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        queues = _queues(scope)
        if queues is None:
            await self._app(scope, receive, send)
            return
        is_get = scope["method"] in READS
        target = scope["path"], _canonical(scope["query_string"])
        coming: Coming | None = None
        if not (is_get and target in self._answered):
            queue = queues[0 if is_get else 1]
            try:
                coming = self._admission.expect(queue, known(_authorization(scope)))
            except Overloaded as refusal:
                await self._refuse(scope, send, refusal)
                return
        try:
            if not is_get:
                await self._app(scope, receive, send)
            elif await _while_wanted(self._app, scope, receive, send) == 200:
                self._remember(target)
        finally:
            if coming is not None:
                coming.over()

    async def _refuse(self, scope: Scope, send: Send, refusal: Overloaded) -> None:
        """The problem, as the server takes it: a Response costs as much again."""
        operation = begin(traceparent(scope))
        status, details = refusal.status, refusal.details
        body = body_of(scope["path"], status, refusal.code, refusal.message, operation, details)
        headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", KIND.encode()),
            (b"retry-after", b"%d" % details["retry_after"]),
            (b"x-operation-id", operation.encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        if self._meters is not None:
            self._meters.shed(method_of(scope), status)

    def _remember(self, target: Target) -> None:
        self._answered[target] = None
        if len(self._answered) > ANSWERED:
            del self._answered[next(iter(self._answered))]


async def _while_wanted(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> int:
    """Run the app until it has answered or its caller has gone; the response's status, or 0.

    For requests without a body: nobody else may be reading from `receive`.
    """
    task = asyncio.current_task()
    assert task is not None
    status, gone = 0, False
    watching: asyncio.Task[None] | None = None

    async def watch() -> None:
        nonlocal gone
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        if message["type"] == "http.request":
            message = await receive()  # ends when the caller does, or the response
        if message["type"] == "http.disconnect":
            gone = True
            task.cancel()

    def begin() -> None:
        nonlocal watching
        watching = asyncio.create_task(watch())

    async def sending(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        await send(message)

    timer = asyncio.get_running_loop().call_later(PATIENCE, begin)
    try:
        await app(scope, receive, sending)
    except asyncio.CancelledError:
        if not gone or task.uncancel():
            raise
    finally:
        timer.cancel()
        if watching is not None:
            watching.cancel()
    return status


def _canonical(query: bytes) -> bytes:
    """A query, equal for what is the same question: nearly, since a cache looks behind the door."""
    return b"&".join(sorted({*query.split(b"&")} - DEFAULTS))


def _queues(scope: MutableMapping[str, Any]) -> tuple[str, str] | None:
    if scope["type"] != "http":
        return None
    parts = scope["path"].split("/", 3)
    return QUEUES.get("/".join(parts[:3]))


def _authorization(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bytes(value)
    return b""
