"""What is told of a request itself: for its operation's story, and to a collector."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from actors.spans import SpanLog
from contracts.operation import doing
from contracts.traces import Span

if TYPE_CHECKING:  # the extra may be missing
    from actors.telemetry.tracing import Open

QUEUE = "http"  # where a story says that it waited: not at all


def tell(spans: SpanLog, process: str, request: str, status: int, seconds: float) -> None:
    """Note a request that failed here, was slow, or came with a sampled traceparent.

    Of the others its message tells the story; of one that nobody took up, only this does.
    """
    ms, now = seconds * 1000, doing()
    is_slow = ms >= spans.slow
    if not (is_slow or status >= 500 or now.traced):
        return
    outcome = "failed" if status >= 500 else "refused" if status >= 400 else "done"
    spans.put(
        Span(
            operation_id=now.id[:200],
            message_id=now.id[:200],
            at=datetime.now(UTC) - timedelta(seconds=seconds),
            actor=request[:200],
            queue=QUEUE,
            worker=process,
            waited_ms=0,
            ms=ms,
            attempt=1,
            outcome=outcome,
            error=str(status) if status >= 400 else "",
            slow=is_slow,
            caller=now.by[:200] or None,
        )
    )


def end(span: "Open", method: str, route: str, status: int) -> None:
    """Its span has ended; it is named by its route, as paths may hold what was asked for."""
    about: dict[str, str | int] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
    }
    error = str(status) if status >= 500 else ""
    span.end(name=f"{method} {route}", error=error, about=about)
