"""Errors as RFC 9457 problem details with a stable code."""

import math
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from actors.failures import FailureLog
from contracts.base import field_errors, new_id
from contracts.errors import CasebookError, Overloaded, QueueUnavailable, RateLimited
from contracts.operation import current

RETRY_AFTER = 1  # seconds: what was away is asked for again soon
AGAIN = (QueueUnavailable.status, RateLimited.status)
KIND = "application/problem+json"
SHED = "casebook.shed"  # in the scope of a request that was one too many


def problem(request: Request, error: CasebookError) -> Response:
    """The response that tells a caller what happened and what can be done."""
    operation = str(error.details.get("operation_id") or _operation())
    request.scope[SHED] = isinstance(error, Overloaded)
    return _respond(request, error.status, error.code, error.message, operation, error.details)


def install(app: FastAPI) -> None:
    """Answer every kind of error in this one form."""

    @app.exception_handler(CasebookError)
    async def _ours(request: Request, error: CasebookError) -> Response:
        return problem(request, error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        errors = field_errors(list(error.errors()))
        unreadable = any(one["code"] == "JSON_INVALID" for one in errors)
        code = "JSON_UNREADABLE" if unreadable else "VALIDATION_FAILED"
        message = "The request does not fit its contract."
        details = {"errors": errors}
        return _respond(request, 422, code, message, _operation(), details)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        codes = {400: "BODY_UNREADABLE", 404: "ROUTE_NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
        code = codes.get(error.status_code, "HTTP_ERROR")
        return _respond(request, error.status_code, code, str(error.detail), _operation(), {})

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        failures: FailureLog | None = request.app.state.failures
        if failures is not None:
            failures.note(error, f"{request.method} {request.url.path}")
        return problem(request, CasebookError())


def _operation() -> str:
    return current() or new_id().hex


def body_of(
    path: str, status: int, code: str, message: str, operation: str, details: dict[str, Any]
) -> bytes:
    """The JSON of a problem: what every one has, and the details, which replace nothing of that."""
    body = {
        "type": "about:blank",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": message,
        "instance": path,
        "code": code,
        "operation_id": operation,
    }
    return orjson.dumps({**body, **details, **body}, default=str)


def _respond(
    request: Request, status: int, code: str, message: str, operation: str, details: dict[str, Any]
) -> Response:
    # request.url builds a URL first
    body = body_of(request.scope["path"], status, code, message, operation, details)
    # Whole seconds: what is no integer, clients pass over, and come back at once.
    again = max(RETRY_AFTER, math.ceil(details.get("retry_after", RETRY_AFTER)))
    headers = {"Retry-After": str(again)} if status in AGAIN else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body, status, headers=headers, media_type=KIND)
