"""Before anything is read of a request: is there any use in it? Is its caller still there?

Behind the door (routing, checking, the broker's client) a refusal costs several times as much, and
who refuses many would have no time left to answer.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.broker.admission import Admission, Coming
from contracts.errors import Overloaded
from shim.keys import known
from shim.problems import problem

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

Target = tuple[str, bytes]


class Door:
    """ASGI: refuses what its queue would refuse, and ends reads whose callers have gone.

    What was answered before is let in: a cache may know it, and caches are never full.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission
        self._answered: dict[Target, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        queues = _queues(scope)
        if queues is None:
            await self._app(scope, receive, send)
            return
        is_get = scope["method"] in READS
        target = scope["path"], scope["query_string"]
        coming: Coming | None = None
        if not (is_get and target in self._answered):
            queue = queues[0 if is_get else 1]
            try:
                coming = self._admission.expect(queue, known(_authorization(scope)))
            except Overloaded as refusal:
                await problem(Request(scope), refusal)(scope, receive, send)
                return
        try:
            if not is_get:
                await self._app(scope, receive, send)
            elif await _while_wanted(self._app, scope, receive, send) == 200:
                self._remember(target)
        finally:
            if coming is not None:
                coming.over()

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
