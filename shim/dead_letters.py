"""/v1/dead-letters."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response
from pydantic import AfterValidator

from actors import dead_letters, replay
from contracts.base import new_id
from contracts.dead_letters import (
    DeadLetterPage,
    DeadLetterWhole,
    DiscardDeadLetters,
    EditDeadLetter,
    GetDeadLetter,
    LetterCount,
    LetterFilter,
    LetterGroups,
    LettersChanged,
    ListDeadLetters,
    ReplayDeadLetters,
    ReplayPlan,
    ReplayStarted,
    RestoreDeadLetters,
    refuse_unsendable,
)
from shim.backend import BackendOf
from shim.keys import Caller, Key
from shim.parameters import NO_OTHERS

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"], dependencies=NO_OTHERS)


@router.get("", response_model=DeadLetterPage)
async def list_page(
    backend: BackendOf, by: Caller, request: Annotated[ListDeadLetters, Query()]
) -> Response:
    """List dead letters, the last to die first, a page at a time."""
    return await backend.answer(dead_letters.list_page, request)


@router.get("/count", response_model=LetterCount)
async def count(
    backend: BackendOf, by: Caller, request: Annotated[LetterFilter, Query()]
) -> Response:
    """How many letters a filter finds."""
    return await backend.answer(dead_letters.count, request)


@router.get("/groups", response_model=LetterGroups)
async def groups(
    backend: BackendOf, by: Caller, request: Annotated[LetterFilter, Query()]
) -> Response:
    """Letters counted by actor, reason and exception class."""
    return await backend.answer(dead_letters.groups, request)


@router.post("/discard", response_model=LettersChanged)
async def discard(
    backend: BackendOf, by: Caller, request: DiscardDeadLetters, key: Key = None
) -> Response:
    """Put letters aside, with a reason. Where `more` is true, ask again under another key."""
    command = request.model_copy(update={"by": by, "key": key or request.key})
    return await backend.answer(dead_letters.discard, command)


@router.post("/restore", response_model=LettersChanged)
async def restore(
    backend: BackendOf, by: Caller, request: RestoreDeadLetters, key: Key = None
) -> Response:
    """Bring discarded (or `"state": "replayed"`) letters back.

    Where `more` is true, ask again under another key.
    """
    command = request.model_copy(update={"by": by, "key": key or request.key})
    return await backend.answer(dead_letters.restore, command)


@router.post("/replay", status_code=202, response_model=ReplayStarted | ReplayPlan)
async def replay_(
    backend: BackendOf,
    by: Caller,
    request: ReplayDeadLetters,
    dry_run: Annotated[bool, Query(description="only count")] = False,
    key: Key = None,
) -> Response:
    """Send letters to their queues again, as a task; with `dry_run`, count what would be sent."""
    if dry_run:
        return await backend.answer(replay.plan, request)
    command = request.model_copy(update={"by": by, "key": key or request.key})
    return await backend.answer(replay.start, command, status=202)


@router.get("/{letter_id}", response_model=DeadLetterWhole)
async def get(backend: BackendOf, by: Caller, letter_id: UUID) -> Response:
    """One letter whole: the message as it was sent, and every attempt."""
    return await backend.answer(dead_letters.get, GetDeadLetter(id=letter_id))


@router.put("/{letter_id}/request", response_model=DeadLetterWhole)
async def edit(
    backend: BackendOf,
    by: Caller,
    letter_id: UUID,
    request: Annotated[dict[str, Any], Body(), AfterValidator(refuse_unsendable)],
    key: Key = None,
) -> Response:
    """Put another request into the letter, checked against its actor's contract."""
    command = EditDeadLetter(id=letter_id, request=request, key=key or str(new_id()), by=by)
    return await backend.answer(dead_letters.edit, command)
