"""/v1/events, and what notes a search: both hand events to the gatherer and wait for nothing."""

import time
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response

from actors.broker.encoding import MESSAGE_MAX
from contracts.analytics import NAME_MAX, EventsTaken, GivenEvent
from contracts.base import new_id
from contracts.errors import MessageTooLarge, RateLimited, ValidationFailed
from contracts.search import SearchQuery
from pipelines.answers import Answer
from pipelines.events import logged_in, searched, take, viewed
from pipelines.privacy import Pseudonyms
from shim.allowance import Allowance
from shim.backend import answered, json_response
from shim.gatherer import Gatherer
from shim.keys import Caller

SEARCH_ID = "Casebook-Search-Id"  # header of a search's reply, to be named by what follows from it

NAMES_SEEN = 10_000  # of keys, whose day a process remembers

SESSION = "Casebook-Session"  # header of a request: what it belongs to, in the caller's words

router = APIRouter(tags=["analytics"])


class Recording:
    """What noting events needs; one an app, made when it starts."""

    def __init__(self, gatherer: Gatherer, names: Pseudonyms, *, keep_days: int, rate: int) -> None:
        self.gatherer = gatherer
        self.names = names
        self.keep_days = keep_days
        self.allowance = Allowance(rate)
        self._seen: dict[str, date] = {}  # whose key was used on which day

    def signed_in(self, name: str) -> None:
        """Note the first use of a key in a day of UTC; another process may note it as well."""
        today = datetime.now(UTC).date()
        if self._seen.get(name) != today:
            if len(self._seen) >= NAMES_SEEN:
                self._seen.clear()
            self._seen[name] = today
            self.gatherer.later(partial(logged_in, self.names.of("user", name), today))

    def read(self, entry_id: UUID, search_id: UUID, by: str) -> None:
        """Note that an entry was read because of a search."""
        who = self.names.of("user", by)
        self.gatherer.later(partial(viewed, entry_id, search_id, who))


async def recording(request: Request) -> Recording:
    """The Recording of the app that serves `request`."""
    found: Recording = request.app.state.recording
    return found


RecordingOf = Annotated[Recording, Depends(recording)]


#: What OpenAPI says of a request that may name a search.
NAMED_SEARCH = {
    "parameters": [
        {
            "name": SEARCH_ID,
            "in": "header",
            "description": "the reply's, of the search that led here",
            "schema": {"type": "string", "format": "uuid"},
        }
    ]
}


def named_search(request: Request) -> UUID | None:
    """The search that a request says it comes from. Raises: ValidationFailed.

    Read without FastAPI's declarations, which cost a read more than its own work.
    """
    given = request.headers.get(SEARCH_ID)
    if given is None:
        return None
    try:
        found = UUID(given)
    except ValueError:
        found = None
    if found is None or found.version != 7:
        one = {"field": SEARCH_ID, "code": "UUID", "message": "is the id of no search"}
        raise ValidationFailed(errors=[one])
    return found


class SearchNote:
    """A search that is being answered: who asks, since when."""

    def __init__(self, recording: Recording, by: str, session: str | None) -> None:
        self._recording = recording
        self._by = by
        self._session = session
        self._began = time.perf_counter()

    def answer(self, request: SearchQuery, answer: Answer) -> Response:
        """The response with the search's id; its event is made after it has been sent."""
        names, search_id = self._recording.names, new_id()
        note = partial(
            searched,
            search_id,
            request,
            answer.body,
            (time.perf_counter() - self._began) * 1000,
            names.of("user", self._by),
            names.of("session", self._session) if self._session else None,
        )
        self._recording.gatherer.later(note)
        return answered(answer, headers={SEARCH_ID: str(search_id)})


async def noted(
    recording: RecordingOf,
    by: Caller,
    session: Annotated[str | None, Header(alias=SESSION, max_length=NAME_MAX)] = None,
) -> SearchNote:
    """The note of a search that begins."""
    return SearchNote(recording, by, session)


Noted = Annotated[SearchNote, Depends(noted)]

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["events"],
                    "properties": {
                        "events": {"type": "array", "items": GivenEvent.model_json_schema()}
                    },
                }
            }
        },
    }
}


@router.post("/v1/events", status_code=202, response_model=EventsTaken, openapi_extra=BODY)
async def give(recording: RecordingOf, by: Caller, request: Request) -> Response:
    """Tell what happened: up to 100 events, looked at one by one; each is kept once by its id."""
    body = await _json(request)
    events, taken = take(body, by, recording.names, keep_days=recording.keep_days)
    if not recording.allowance.take(by, len(events)):
        raise RateLimited(limit=recording.allowance.rate)
    for event in events:
        recording.gatherer.add(event)
    return json_response(taken.model_dump_json().encode(), 202)


async def _json(request: Request) -> Any:
    """The body. Raises: MessageTooLarge, before more than that is read; ValidationFailed."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MESSAGE_MAX:
            raise MessageTooLarge()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        one = {"field": "body", "code": "JSON_INVALID", "message": str(error)}
        raise ValidationFailed("The body is no JSON.", errors=[one]) from None
