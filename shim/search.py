"""/v1/search, /v1/suggest, /v1/similar."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.search import SearchQuery, SearchReply
from contracts.similar import LikeEntries, MoreLikeThis
from contracts.suggest import Suggest, Suggestions
from pipelines import searching
from shim.analytics import Noted
from shim.asked import asked, shown
from shim.backend import BackendOf, json_response
from shim.keys import caller

router = APIRouter(prefix="/v1", tags=["search"], dependencies=[Depends(caller)])


@router.get("/search", response_model=SearchReply, openapi_extra=shown(SearchQuery))
async def find(
    backend: BackendOf, note: Noted, request: Annotated[SearchQuery, Depends(asked(SearchQuery))]
) -> Response:
    """Search entries: words, "phrases", -not, codes."""
    reply = await searching.find(backend.client, request, timeout=backend.read_timeout)
    return note.answer(request, reply)


@router.post("/search", response_model=SearchReply)
async def find_posted(backend: BackendOf, note: Noted, request: SearchQuery) -> Response:
    """As GET, for what is too long for a URL (a pasted log)."""
    reply = await searching.find(backend.client, request, timeout=backend.read_timeout)
    return note.answer(request, reply)


@router.get("/suggest", response_model=Suggestions, openapi_extra=shown(Suggest))
async def suggest(
    backend: BackendOf, request: Annotated[Suggest, Depends(asked(Suggest))]
) -> Response:
    """Codes, entries and tags that go on as `q` begins; from two characters on."""
    return json_response(
        await searching.suggest(backend.client, request, timeout=backend.read_timeout)
    )


@router.post("/similar", response_model=LikeEntries)
async def similar(backend: BackendOf, request: MoreLikeThis) -> Response:
    """Entries about the same thing as a text, or as an entry."""
    return json_response(
        await searching.like(backend.client, request, timeout=backend.read_timeout)
    )
