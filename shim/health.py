"""/healthz and /readyz."""

from fastapi import APIRouter, Request, Response

from contracts.health import Health
from pipelines import health
from shim.backend import BackendOf, json_response
from shim.problems import RETRY_AFTER

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Alive: this process answers."""
    return {"status": "alive"}


@router.get("/readyz", response_model=Health)
async def readyz(backend: BackendOf, request: Request) -> Response:
    """Ready: each dependency with its time, its numbers and what is wrong with it.

    503 when requests can't be answered; 200 with `degraded` when they are and something needs a
    hand.
    """
    found = await health.look(backend.client, request.app.state.data)
    ready = found.status != "not ready"
    body = found.model_dump_json(exclude_none=True).encode()
    response = json_response(body, 200 if ready else 503)
    if not ready:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response
