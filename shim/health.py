"""/healthz and /readyz."""

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, Response

from actors import index, system
from actors.actor import Operation
from contracts.base import Nothing
from contracts.errors import CasebookError
from pipelines.ask import ask
from shim.backend import BackendOf, json_response
from shim.problems import RETRY_AFTER

router = APIRouter(tags=["health"])

PATIENCE = 3.0  # seconds: longer than a worker needs to find that the database is away


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Alive: this process answers."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(backend: BackendOf) -> Response:
    """Ready: each dependency with its state, 503 unless all of them are well."""
    database, indexed = await asyncio.gather(
        _check(backend, system.database), _check(backend, index.status)
    )
    redis: dict[str, object] = {"ok": backend.client.connected}
    checks = {"redis": redis, "database": database, "index": indexed}
    ready = all(check["ok"] for check in checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    response = json_response(orjson.dumps(body), 200 if ready else 503)
    if not ready:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


async def _check(backend: BackendOf, operation: Operation[Any, Any]) -> dict[str, object]:
    try:
        await ask(backend.client, operation, Nothing(), timeout=PATIENCE)
    except CasebookError as error:
        return {"ok": False, "code": error.code, "reason": error.message}
    return {"ok": True}
