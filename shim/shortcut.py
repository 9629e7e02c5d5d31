"""A search that was asked before is answered before FastAPI takes its request apart.

Dependencies, headers and the query cost three times what a hot answer does. Here nothing is
awaited: where anything is not at hand, the request goes the usual way.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from cachetools import LRUCache
from fastapi import Request, Response
from fastapi.routing import APIRoute

from contracts.analytics import NAME_MAX
from contracts.search import SearchQuery
from pipelines.answers import Answers
from shim import keys
from shim.analytics import SESSION, SearchNote
from shim.backend import Backend, is_anew

QUERIES, LENGTH_MAX = 4_096, 1_000  # queries that are known as they are written, and bytes of one

#: What a query asks for and the key of its answer: both are the query's alone.
_asked: LRUCache[bytes, tuple[SearchQuery, str]] = LRUCache(QUERIES)


class Shortcut(APIRoute):
    """The route of searches by GET."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual one, and the hot answer before it."""
        usual = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return hot(request) or await usual(request)

        return handle


def remember(http: Request, request: SearchQuery) -> None:
    """This is what a query asks for."""
    query = http.scope["query_string"]
    if len(query) <= LENGTH_MAX and query not in _asked and Answers.keeps("search.query", request):
        _asked[query] = request, Answers.key("search.query", request)


def hot(http: Request) -> Response | None:
    """The answer of now, if key, query and answer are at hand."""
    asked = _asked.get(http.scope["query_string"])
    session = http.headers.get(SESSION)
    if asked is None or is_anew(http) or len(session or "") > NAME_MAX:
        return None
    by = keys.at_hand(http)
    if by is None:
        return None
    backend: Backend = http.app.state.backend
    note = SearchNote(http.app.state.recording, by, session)
    answer = backend.answers.at_hand("search.query", *asked)
    if answer is None:
        return None
    backend.gave(answer.source)
    return note.answer(asked[0], answer)
