"""A contract from the query string, beside what FastAPI makes of it."""

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Query

from contracts.search import SearchQuery
from shim.asked import asked, shown


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """One contract, read by FastAPI and by us."""
    app = FastAPI()

    @app.get("/theirs")
    async def theirs(request: Annotated[SearchQuery, Query()]) -> dict[str, Any]:
        return request.model_dump(mode="json")

    @app.get("/ours", openapi_extra=shown(SearchQuery))
    async def ours(request: Annotated[SearchQuery, Depends(asked(SearchQuery))]) -> dict[str, Any]:
        return request.model_dump(mode="json")

    return app


def get(app: FastAPI, path: str) -> httpx.Response:
    """The app's answer."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return await http.get(path)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "query",
    [
        "",
        "q=",
        "q=a+b&limit=5",
        "q=one&q=two",
        "tag=a&tag=b&severity=high",
        "facets=category,tag&facets=year&fields=id,title",
        "year=2026&year=x",
        "limit=0&offset=-1",
        "limit=many",
        "hightlight=no",
        "a=1",
        "sort=usage&order=up",
        "cursor=abc&offset=5",
        "q=%00&category=%FF",
        "explain=true&highlight=0&mode=hybrid",
    ],
)
def test_a_query_is_read_as_fastapi_reads_it(app: FastAPI, query: str) -> None:
    """The same values, or the same errors in the same places."""
    theirs, ours = get(app, f"/theirs?{query}"), get(app, f"/ours?{query}")
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())


def test_openapi_shows_the_same_parameters(app: FastAPI) -> None:
    """Whoever reads the API's description sees no difference."""
    paths = get(app, "/openapi.json").json()["paths"]
    theirs, ours = (paths[path]["get"]["parameters"] for path in ("/theirs", "/ours"))
    assert sorted(ours, key=lambda one: one["name"]) == sorted(theirs, key=lambda one: one["name"])
