"""Searches, and waiting until a write of one's own can be found."""

import asyncio
from typing import Any

import orjson

from actors import search, semantic
from actors.actor import Operation
from actors.broker.client import Client
from contracts.base import EncodedReply
from contracts.entries import EntryFields
from contracts.errors import (
    CasebookError,
    DatabaseUnavailable,
    DeadlineExceeded,
    EmbeddingRefused,
    EmbeddingUnavailable,
    IndexBehind,
    IndexUnavailable,
    NoReply,
)
from contracts.search import NEAR_MAX, FusedQuery, SearchQuery
from contracts.selection import Narrowed
from contracts.semantic import AskNearest, Nearest
from contracts.similar import LIKE, MoreLikeThis
from contracts.suggest import Suggest
from pipelines.ask import ask, ask_for
from pipelines.question import Compute

HINTS, HINT_WITHIN = 5, 1.0  # entries and seconds for a writer to hear of possible duplicates
NEAR = 200  # entries of like meaning that are asked for; NEAR_MAX where filters will leave few
#: What keeps a search by meaning from being one.
AWAY = (DatabaseUnavailable, DeadlineExceeded, EmbeddingRefused, EmbeddingUnavailable, NoReply)
PAUSE = 0.005, 0.1  # seconds: first and longest between two askings of an index that is behind


async def find(client: Client, request: SearchQuery, *, timeout: float) -> bytes:
    """The JSON of a SearchReply.

    A search by meaning is two questions: what PostgreSQL knows to be near, then the index, which
    filters and ranks. Raises: SemanticOff where nothing can know; EmbeddingUnavailable and the
    like only where words alone won't do.

    With `request.after` the search is asked again until the index has reached that position: the
    waiting is done here, so that no worker thread is held by it. Raises: IndexBehind when it does
    not get there within `timeout` seconds, and what `ask` raises.
    """
    asked: SearchQuery = request
    operation: Operation[Any, EncodedReply] = search.query
    clock = asyncio.get_running_loop().time
    give_up, pause = clock() + timeout, PAUSE[0]
    if request.mode != "lexical" and request.q.strip():
        asked, operation = await _with_near(client, request, timeout), search.fused
    while True:
        try:
            return await ask(client, operation, asked, timeout=max(give_up - clock(), PAUSE[1]))
        except (IndexBehind, IndexUnavailable):
            if request.after is None or clock() + pause > give_up:
                raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE[1])


def asking(client: Client) -> Compute[SearchQuery]:
    """`find` by this client, as Answers computes."""

    async def compute(request: SearchQuery, timeout: float) -> bytes:
        return await find(client, request, timeout=timeout)

    return compute


async def _with_near(client: Client, request: SearchQuery, timeout: float) -> FusedQuery:
    """The request, and what is near; of a hybrid one nothing, and a note, where that is away.

    A hybrid one waits for it half of the time at most: the rest is for the words.
    """
    narrowed = request.model_dump(include=set(Narrowed.model_fields), exclude_defaults=True)
    question = AskNearest(text=request.q, most=NEAR_MAX if narrowed else NEAR)
    near, note = Nearest(ids=()), ""
    within = timeout if request.mode == "semantic" else timeout / 2
    try:
        near = await ask_for(Nearest, client, semantic.nearest, question, timeout=within)
    except AWAY as error:
        if request.mode == "semantic":
            raise
        note = f"by words alone: {error.code}"
    return FusedQuery(**request.model_dump(), near=near.ids, weight=near.weight, note=note)


async def suggest(client: Client, request: Suggest, *, timeout: float) -> bytes:
    """The JSON of Suggestions. Raises: what `ask` raises."""
    return await ask(client, search.suggest, request, timeout=timeout)


async def like(client: Client, request: MoreLikeThis, *, timeout: float) -> bytes:
    """The JSON of LikeEntries. Raises: what `ask` raises."""
    return await ask(client, search.like, request, timeout=timeout)


async def with_similar(client: Client, stored: bytes, fields: EntryFields) -> bytes:
    """The JSON of an EntryStored, and in it the entries that a new one may be a duplicate of.

    The entry is kept by now: an index that is away costs its writer the hint and nothing else.
    """
    text = "\n".join((fields.title, fields.problem, fields.solution))
    reply = orjson.loads(stored)
    try:
        request = MoreLikeThis(text=text, limit=HINTS + 1)
        answer = await like(client, request, timeout=HINT_WITHIN)
    except CasebookError:
        return stored
    found = [
        entry
        for entry in orjson.loads(answer)["entries"]
        if entry["similarity"] >= LIKE and entry["id"] != reply["entry"]["id"]
    ]
    found.sort(key=lambda entry: -entry["similarity"])
    return orjson.dumps(reply | {"similar": found[:HINTS]})


async def until_searchable(client: Client, position: str, *, timeout: float) -> None:
    """Return once searches see what stands at `position`. Raises: IndexBehind."""
    await find(client, SearchQuery(limit=1, highlight=False, after=position), timeout=timeout)
