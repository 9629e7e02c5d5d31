"""/v1/analytics: what happened, as JSON or, asked for by `Accept: text/csv`, as CSV."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, ValidationError

from actors import analytics_answers, analytics_lists
from actors.actor import Operation
from contracts.analytics_answers import (
    Answer,
    AskActivity,
    AskDashboard,
    AskEntry,
    AskLatency,
    AskReport,
    Dashboard,
    EntryMetrics,
    ListQueries,
    ListUsedEntries,
)
from contracts.base import Contract, field_errors
from contracts.errors import ValidationFailed
from pipelines.answers import Answer as Given
from pipelines.tables import to_csv
from shim.backend import Backend, BackendOf, answered
from shim.keys import caller
from shim.parameters import NO_OTHERS

router = APIRouter(
    prefix="/v1/analytics",
    tags=["analytics"],
    dependencies=[Depends(caller)],
    responses={200: {"content": {"text/csv": {}}, "description": "JSON, or the rows as CSV"}},
)


class Answers:
    """Asks, and gives the reply in the form that the caller wants."""

    def __init__(self, backend: Backend, http: Request) -> None:
        self._backend = backend
        self._http = http
        accepted = http.headers.get("accept", "")
        self._csv = "text/csv" in accepted and "application/json" not in accepted

    async def __call__(self, operation: Operation[Any, Any], request: Contract) -> Response:
        """The answer to `request`."""
        return self._formed(await self._backend.read(operation, request, self._http))

    async def first(self, operation: Operation[Any, Any], request: Contract) -> Response:
        """The same, always computed; what is kept is for when that can't be done."""
        return self._formed(await self._backend.read_first(operation, request))

    def _formed(self, answer: Given) -> Response:
        if not self._csv:
            return answered(answer)
        rows = to_csv(orjson.loads(answer.body)["rows"])
        return answered(answer, rows.encode(), "text/csv; charset=utf-8")


async def answers(backend: BackendOf, request: Request) -> Answers:
    """In the form that `request` accepts."""
    return Answers(backend, request)


AnswersOf = Annotated[Answers, Depends(answers)]


@router.get("/dashboard", response_model=Dashboard)
async def dashboard(answer: AnswersOf, request: Annotated[AskDashboard, Query()]) -> Response:
    """The numbers of a period on one page; its rows are its days."""
    return await answer(analytics_answers.dashboard, request)


@router.get("/queries", response_model=Answer)
async def queries(answer: AnswersOf, request: Annotated[ListQueries, Query()]) -> Response:
    """Popular and rising queries, those without results, those without a click."""
    return await answer(analytics_lists.queries, request)


@router.get("/entries", response_model=Answer)
async def entries(answer: AnswersOf, request: Annotated[ListUsedEntries, Query()]) -> Response:
    """Popular and best-rated entries, those that were never found, stale ones."""
    return await answer(analytics_lists.entries, request)


@router.get("/entries/{entry_id}", response_model=EntryMetrics, dependencies=NO_OTHERS)
async def entry(
    answer: AnswersOf,
    entry_id: UUID,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Response:
    """What happened to one entry; its rows are the days of the period."""
    try:
        request = AskEntry(id=entry_id, since=since, until=until)
    except ValidationError as error:
        raise ValidationFailed(errors=field_errors(error.errors(include_url=False))) from None
    return await answer.first(analytics_lists.entry, request)


@router.get("/activity", response_model=Answer)
async def activity(answer: AnswersOf, request: Annotated[AskActivity, Query()]) -> Response:
    """What happened last."""
    return await answer.first(analytics_lists.activity, request)


@router.get("/latency", response_model=Answer)
async def latency(answer: AnswersOf, request: Annotated[AskLatency, Query()]) -> Response:
    """Percentiles of the time that searches took."""
    return await answer.first(analytics_answers.latency, request)


@router.get("/report", response_model=Answer)
async def report(answer: AnswersOf, request: Annotated[AskReport, Query()]) -> Response:
    """One metric, grouped by one thing, narrowed, in a period."""
    return await answer.first(analytics_answers.report, request)
