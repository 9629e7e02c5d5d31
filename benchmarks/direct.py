"""The peer of our search path: Tantivy called inside one FastAPI process, without a queue."""

import sys
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Query, Response

from contracts.search import SearchQuery
from storage.index.searcher import IndexReader


def make_app(index: Path) -> FastAPI:
    """The same search and the same bytes, called on the event loop and in the thread pool."""
    app = FastAPI()
    reader = IndexReader(index)

    @app.get("/inline")
    async def inline(request: Annotated[SearchQuery, Query()]) -> Response:
        return Response(reader.search(request), media_type="application/json")

    @app.get("/pool")
    def pool(request: Annotated[SearchQuery, Query()]) -> Response:
        return Response(reader.search(request), media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        make_app(Path(sys.argv[1])),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
