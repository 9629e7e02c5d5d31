"""/v1/search."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from contracts.search import SearchQuery, SearchReply
from pipelines import searching
from shim.backend import BackendOf, json_response
from shim.keys import caller

router = APIRouter(prefix="/v1/search", tags=["search"], dependencies=[Depends(caller)])


@router.get("", response_model=SearchReply)
async def find(backend: BackendOf, request: Annotated[SearchQuery, Query()]) -> Response:
    """Search entries: words, "phrases", -not, codes."""
    return json_response(
        await searching.find(backend.client, request, timeout=backend.read_timeout)
    )


@router.post("", response_model=SearchReply)
async def find_posted(backend: BackendOf, request: SearchQuery) -> Response:
    """As GET, for what is too long for a URL (a pasted log)."""
    return json_response(
        await searching.find(backend.client, request, timeout=backend.read_timeout)
    )
