"""/v1/alerts, /v1/errors and /v1/health: what an operator asks when something is wrong."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response

from actors import alerts, errors, health, traces
from contracts.alerts import AcknowledgeAlert, Alert, Alerts, ListAlerts
from contracts.base import Contract, new_id
from contracts.failures import Failure, Failures, Fingerprint, ListFailures, ResolveFailure
from contracts.health import HealthHistory, ListSamples
from contracts.traces import GetTrace, ListSlow, SlowOperations, Trace
from shim.backend import BackendOf
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1", tags=["operating"], dependencies=NO_OTHERS)


class Note(Contract):
    """What is said with an acknowledgement."""

    note: str = ""


@router.get("/alerts", response_model=Alerts)
async def list_alerts(
    backend: BackendOf, by: Caller, request: Annotated[ListAlerts, Query()]
) -> Response:
    """Alerts that are not over (`everything=true`: those too), the last to change first."""
    return await backend.answer(alerts.list_page, request)


@router.post("/alerts/{alert_id}/acknowledge", response_model=Alert)
async def acknowledge(
    backend: BackendOf,
    by: Caller,
    alert_id: UUID,
    said: Annotated[Note | None, Body()] = None,
    key: Key = None,
) -> Response:
    """Say that you look after it: it is not told again, and resolves by itself."""
    note = said.note if said is not None else ""
    command = AcknowledgeAlert(id=alert_id, note=note, by=by, key=key or str(new_id()))
    return await backend.answer(alerts.acknowledge, command)


@router.get("/errors", response_model=Failures)
async def list_errors(
    backend: BackendOf, by: Caller, request: Annotated[ListFailures, Query()]
) -> Response:
    """Unexpected errors by what and where, the last seen first."""
    return await backend.answer(errors.list_page, request)


@router.post("/errors/{fingerprint}/resolve", response_model=Failure)
async def resolve(
    backend: BackendOf, by: Caller, fingerprint: Fingerprint, key: Key = None
) -> Response:
    """Put an error aside; seen again, it is back."""
    command = ResolveFailure(fingerprint=fingerprint, by=by, key=key or str(new_id()))
    return await backend.answer(errors.resolve, command)


@router.get("/traces/{operation_id}", response_model=Trace)
async def trace(backend: BackendOf, by: Caller, operation_id: str) -> Response:
    """The story of an operation, a message or a task: who, where, how long, how it ended."""
    return await backend.answer(traces.get, GetTrace(id=operation_id))


@router.get("/slow", response_model=SlowOperations)
async def slow(backend: BackendOf, by: Caller, request: Annotated[ListSlow, Query()]) -> Response:
    """Slow operations, those that took most in total first."""
    return await backend.answer(traces.slow, request)


@router.get("/health/history", response_model=HealthHistory)
async def history(
    backend: BackendOf, by: Caller, request: Annotated[ListSamples, Query()]
) -> Response:
    """A node's numbers every 15 s, the newest first; kept for a week."""
    return await backend.answer(health.history, request)
