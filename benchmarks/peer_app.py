"""A peer of our search behind FastAPI: `python -m benchmarks.peer_app fts5|postgres PLACE PORT`.

PLACE is SQLite's file or PostgreSQL's URL. Each thread of the pool has a connection of its own, and
both engines let go of the interpreter while they search: one process uses all cores.
"""

import sqlite3
import sys
import threading
from collections.abc import Callable

import psycopg
import uvicorn
from fastapi import FastAPI

from benchmarks.judged import Ranker
from benchmarks.search_peers import fts5_ranked, postgres_ranked

LIMIT = 10


def make_app(connect: Callable[[], Ranker]) -> FastAPI:
    """`/search?q=` gives ids, the best first."""
    app, own = FastAPI(), threading.local()

    @app.get("/search")
    def search(q: str) -> list[str]:
        if not hasattr(own, "rank"):
            own.rank = connect()
        rank: Ranker = own.rank
        return rank(q, LIMIT)

    return app


def _connect(peer: str, place: str) -> Ranker:
    if peer == "fts5":
        base = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
        base.execute("pragma mmap_size = 1000000000")
        return lambda q, limit: fts5_ranked(base, q, limit)
    session = psycopg.connect(place, autocommit=True)
    return lambda q, limit: postgres_ranked(session, q, limit)


if __name__ == "__main__":
    _, peer, place, port = sys.argv
    uvicorn.run(
        make_app(lambda: _connect(peer, place)),
        port=int(port),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
