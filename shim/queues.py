"""/v1/queues: how many messages wait, and pauses and limits; answered from Redis itself."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel

from contracts.queues import LimitQueue, PauseQueue, QueueState, QueueStates
from pipelines import queues
from shim.backend import BackendOf, json_response
from shim.keys import Caller
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1/queues", tags=["queues"], dependencies=NO_OTHERS)

Rates = Annotated[bool, Query(description="messages a second; the answer takes a second longer")]


@router.get("", response_model=QueueStates)
async def list_all(backend: BackendOf, by: Caller, rates: Rates = False) -> Response:
    """Every queue of this Casebook, by name."""
    return _json(await queues.look(backend.client.broker, rates=rates))


@router.get("/{name}", response_model=QueueState)
async def get(backend: BackendOf, by: Caller, name: str, rates: Rates = False) -> Response:
    """One queue."""
    return _json(await queues.look_at(backend.client.broker, name, rates=rates))


@router.post("/{name}/pause", response_model=QueueState)
async def pause(
    backend: BackendOf, by: Caller, name: str, request: Annotated[PauseQueue | None, Body()] = None
) -> Response:
    """Let no further message begin; what runs goes on. New messages wait."""
    reason = request.reason if request is not None else ""
    return _json(await queues.pause(backend.client.broker, name, by=by, reason=reason))


@router.post("/{name}/resume", response_model=QueueState)
async def resume(backend: BackendOf, by: Caller, name: str) -> Response:
    """Let messages begin again."""
    return _json(await queues.resume(backend.client.broker, name, by=by))


@router.put("/{name}/limit", response_model=QueueState)
async def limit(backend: BackendOf, by: Caller, name: str, request: LimitQueue) -> Response:
    """Let at most so many messages be in hand at once, over all workers; null: any number."""
    return _json(await queues.limit(backend.client.broker, name, request.limit, by=by))


def _json(reply: BaseModel) -> Response:
    return json_response(reply.model_dump_json().encode())
