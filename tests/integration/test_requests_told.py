"""What is kept of a request itself: enough where nobody took its message up."""

import httpx
import pytest
from fastapi import FastAPI, Response

from actors.spans import SpanLog
from contracts.errors import CasebookError, Overloaded, QueueUnavailable
from contracts.operation import called_by
from contracts.traces import RecordSpans, Span
from shim import problems
from shim.metrics import Measured
from tests.support.waiting import run

CALLER = "0af7651916cd43dd8448eb211c80319c"


def asked(
    status: int, *, flags: str = "", slow: float = 60_000, error: CasebookError | None = None
) -> tuple[Span, ...]:
    """What is told of a request that is answered so."""
    batches: list[RecordSpans] = []
    app = FastAPI()
    app.state.collector = None
    app.state.spans = SpanLog(batches.append, slow)
    app.add_middleware(Measured, meters=None)
    problems.install(app)

    @app.get("/v1/things/{name}")
    async def thing(name: str) -> Response:
        called_by("ann")
        if error is not None:
            raise error
        return Response(status_code=status)

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            headers = {"traceparent": f"00-{CALLER}-b7ad6b7169203331-{flags}"} if flags else {}
            await http.get("/v1/things/secret", headers=headers)

    run(ask())
    app.state.spans.flush()
    return batches[0].spans if batches else ()


def test_an_ordinary_request_is_told_by_its_message_alone() -> None:
    """Nothing is added to what each search costs."""
    assert asked(200) == asked(404) == asked(200, flags="00") == ()


def test_a_request_that_is_one_too_many_is_not_told() -> None:
    """A flood's refusals would be a flood of stories; what else is away is told."""
    assert asked(200, error=Overloaded(), flags="01") == ()
    assert [span.error for span in asked(200, error=QueueUnavailable())] == ["503"]


@pytest.mark.parametrize(
    ("status", "flags", "slow", "outcome", "error"),
    [
        (504, "", 60_000, "failed", "504"),
        (200, "01", 60_000, "done", ""),
        (404, "01", 60_000, "refused", "404"),
        (200, "", 0, "done", ""),
    ],
)
def test_a_request_that_somebody_will_ask_for_is_told(
    status: int, flags: str, slow: float, outcome: str, error: str
) -> None:
    """It failed, was slow, or its caller traces it: by its route, for whom, how it ended."""
    (span,) = asked(status, flags=flags, slow=slow)
    assert (span.actor, span.queue, span.caller) == ("GET /v1/things/{name}", "http", "ann")
    assert (span.outcome, span.error, span.slow) == (outcome, error, slow == 0)
    assert (span.operation_id == CALLER) is bool(flags)
    assert "secret" not in span.model_dump_json()
