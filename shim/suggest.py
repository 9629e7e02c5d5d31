"""/v1/suggest."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from contracts.suggest import Suggest, Suggestions
from pipelines import searching
from shim.backend import BackendOf, json_response
from shim.keys import caller

router = APIRouter(prefix="/v1/suggest", tags=["search"], dependencies=[Depends(caller)])


@router.get("", response_model=Suggestions)
async def suggest(backend: BackendOf, request: Annotated[Suggest, Query()]) -> Response:
    """Codes, entries and tags that go on as `q` begins; from two characters on."""
    return json_response(
        await searching.suggest(backend.client, request, timeout=backend.read_timeout)
    )
