"""/metrics, and what every request is measured by: its route, its time, its operation id."""

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.metrics.gather import listed, merged, read
from actors.metrics.meters import OTHER, Collects, Meters
from contracts.operation import begin, doing, under
from shim.problems import SHED
from shim.telling import end, tell

if TYPE_CHECKING:  # the extra may be missing
    from actors.telemetry.tracing import Telemetry

router = APIRouter(tags=["health"])

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Shown:
    """What this process's /metrics answers with; made by its root."""

    def __init__(self, families: Collects, name: str, data: Path) -> None:
        self._families = families
        self._name = name
        self._data = data

    def text(self, accept: str) -> tuple[str, str]:
        """All processes of this node as one exposition, and its content type."""
        encode, kind = choose_encoder(accept)
        own = encode(self._families).decode()
        others = [url for name, url in listed(self._data).items() if name != self._name]
        texts = [read(url, accept) for url in others]
        return merged([own, *(text for text in texts if text)]), kind


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Prometheus's text or OpenMetrics: this process, and the others of its node."""
    shown: Shown | None = request.app.state.shown
    if shown is None:
        return Response("CASEBOOK_METRICS is off\n", 404, media_type="text/plain")
    accept = request.headers.get("accept", "")
    text, kind = await asyncio.to_thread(shown.text, accept)
    return Response(text, headers={"Content-Type": kind})


class Measured:
    """ASGI: every request is an operation, with the caller's id or a new one, and is measured."""

    def __init__(self, app: ASGIApp, meters: Meters | None) -> None:
        self._app = app
        self._meters = meters
        self._process = f"{socket.gethostname()}-{os.getpid()}-shim"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        operation_id = begin(traceparent(scope))
        collector: Telemetry | None = scope["app"].state.collector
        span = None if collector is None else collector.open("HTTP", "server", doing().parent)
        if span is not None:
            under(span.traceparent)
        status, start = 500, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-operation-id", operation_id.encode()))
            await send(message)

        try:
            if self._meters is not None:
                self._meters.in_flight.inc()
            await self._app(scope, receive, sending)
        finally:
            method = method_of(scope)
            route, seconds = _route(scope), time.perf_counter() - start
            if self._meters is not None:
                self._meters.in_flight.dec()
                self._meters.answered(method, route, status, seconds)
            spans = scope["app"].state.spans
            # A flood's refusals are counted; a story of each would be one more flood.
            if spans is not None and not scope.get(SHED):
                tell(spans, self._process, f"{method} {route}", status, seconds)
            if span is not None:
                end(span, method, route, status)


def traceparent(scope: Scope) -> str | None:
    """Under what the caller says that this request belongs."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return str(value.decode("latin-1"))
    return None


def method_of(scope: Scope) -> str:
    """The request's method, as it is counted: anybody can make one up."""
    method: str = scope["method"]
    return method if method in METHODS else OTHER


def _route(scope: Scope) -> str:
    """The route's pattern: paths are anybody's, patterns are ours."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", OTHER))
