"""Searches by GET are answered before FastAPI takes their requests apart.

Routing, dependencies and declared headers cost more than all else that the shim does for a search.
Where key or query can't be read here the request goes the usual way, which says what is wrong.
"""

from typing import NamedTuple

from cachetools import LRUCache
from fastapi import Request, Response
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from actors import search
from contracts.analytics import NAME_MAX
from contracts.errors import CasebookError
from contracts.search import SearchQuery
from pipelines.answers import Answers
from pipelines.searching import asking
from shim import keys
from shim.analytics import SESSION, SearchNote
from shim.asked import in_query
from shim.backend import Backend, is_anew
from shim.problems import problem

QUERIES, LENGTH_MAX = 4_096, 1_000  # queries that are known as they are written, and bytes of one


class Route(NamedTuple):
    """What metrics and stories call a request by."""

    path: str


SEARCH = Route("/v1/search")


class Asked(NamedTuple):
    """What a query asks for, and the key of its answer if that is kept: both are the query's."""

    request: SearchQuery
    key: str | None


class Shortcut:
    """ASGI: searches, and behind it the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._asked: LRUCache[bytes, Asked] = LRUCache(QUERIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != SEARCH.path or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        http = Request(scope)
        session = http.headers.get(SESSION)
        by = keys.at_hand(http) if len(session or "") <= NAME_MAX else None
        asked = self._read(http) if by is not None else None
        if by is None or asked is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = SEARCH
        note = SearchNote(http.app.state.recording, by, session)
        try:
            response = await _answer(http, asked, note)
        except CasebookError as error:
            response = problem(http, error)
        await response(scope, receive, send)

    def _read(self, http: Request) -> Asked | None:
        """None for what can't be read."""
        query: bytes = http.scope["query_string"]
        asked = self._asked.get(query)
        if asked is not None:
            return asked
        try:
            request = in_query(SearchQuery, http)
        except ValidationError:
            return None
        kept = Answers.keeps(search.query.name, request)
        asked = Asked(request, Answers.key(search.query.name, request) if kept else None)
        if len(query) <= LENGTH_MAX:
            self._asked[query] = asked
        return asked


async def _answer(http: Request, asked: Asked, note: SearchNote) -> Response:
    """The hot answer, or that of the usual chain. Raises: CasebookError."""
    backend: Backend = http.app.state.backend
    request, key = asked
    if key is not None and not is_anew(http):
        hot = backend.answers.at_hand(search.query.name, request, key)
        if hot is not None:
            backend.gave(hot.source)
            return note.answer(request, hot)
    compute = asking(backend.client)
    answer = await backend.read(search.query, request, http, compute, key=key)
    return note.answer(request, answer)
