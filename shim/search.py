"""/v1/search, /v1/suggest, /v1/similar."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from actors import search
from contracts.search import SearchQuery, SearchReply
from contracts.similar import LikeEntries, MoreLikeThis
from contracts.suggest import Suggest, Suggestions
from pipelines.searching import asking
from shim.analytics import Noted
from shim.asked import asked, shown
from shim.backend import BackendOf, answered
from shim.keys import caller

router = APIRouter(prefix="/v1", tags=["search"], dependencies=[Depends(caller)])


@router.get("/search", response_model=SearchReply, openapi_extra=shown(SearchQuery))
async def find(
    backend: BackendOf,
    note: Noted,
    http: Request,
    request: Annotated[SearchQuery, Depends(asked(SearchQuery))],
) -> Response:
    """Search entries: words, "phrases", -not, codes.

    Most are answered before they come here (shortcut.py).
    """
    compute = asking(backend.client)
    return note.answer(request, await backend.read(search.query, request, http, compute))


@router.post("/search", response_model=SearchReply)
async def find_posted(
    backend: BackendOf, note: Noted, http: Request, request: SearchQuery
) -> Response:
    """As GET, for what is too long for a URL (a pasted log)."""
    compute = asking(backend.client)
    return note.answer(request, await backend.read(search.query, request, http, compute))


@router.get("/suggest", response_model=Suggestions, openapi_extra=shown(Suggest))
async def suggest(
    backend: BackendOf, http: Request, request: Annotated[Suggest, Depends(asked(Suggest))]
) -> Response:
    """Codes, entries and tags that go on as `q` begins; from two characters on."""
    return answered(await backend.read(search.suggest, request, http))


@router.post("/similar", response_model=LikeEntries)
async def similar(backend: BackendOf, http: Request, request: MoreLikeThis) -> Response:
    """Entries about the same thing as a text, or as an entry."""
    return answered(await backend.read(search.like, request, http))
