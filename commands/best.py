"""The best hit's entry: as PostgreSQL has it, or, while that is away, as the index keeps it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from commands.entries import fetch
from contracts.entries import Entry
from contracts.errors import CasebookError
from contracts.search import SearchHit, SearchQuery, SearchReply
from contracts.selection import ShownField
from settings import Settings

WITHIN = 1.0  # seconds that the hits wait for the entry: they are what was asked for
UNREAD, TELL = "The best hit's solution", "`casebook status` tells what is away."
SHOWN: tuple[ShownField, ...] = (
    *("id", "title", "category", "severity", "tags", "version", "updated_at"),
    *("score", "matched", "problem", "solution"),
)


class Best(NamedTuple):
    """What is known of the best hit's entry, and why it is not more."""

    entry: Entry | SearchHit | None = None
    note: str = ""


async def best_of(
    client: Any, settings: Settings, request: SearchQuery, hits: Sequence[SearchHit]
) -> Best:
    """The entry of the first hit of `request`; part of a conversation. What can't be read raises
    nothing: the hits stand without it."""
    if not hits:
        return Best()
    best = hits[0].id
    try:
        return Best(await fetch(client, settings, entry_id=best, timeout=WITHIN))
    except CasebookError as error:
        if not error.retryable:
            return Best(None, f"The best hit's entry can't be shown: {error.message}")
        reason = f"{error.message.rstrip('.')} ({error.code})"
    kept = await _kept(client, settings, request)
    if kept is None or kept.id != best:
        return Best(None, f"{UNREAD} can't be read now: {reason}. The hits stand; {TELL}")
    return Best(kept, f"{UNREAD} is as the index keeps it: {reason}. The hits stand; {TELL}")


async def _kept(client: Any, settings: Settings, request: SearchQuery) -> SearchHit | None:
    """What the index alone knows of the first hit."""
    from pipelines.searching import find

    update = {"limit": 1, "fields": SHOWN, "facets": (), "highlight": False, "explain": False}
    try:
        again = request.model_copy(update=update)
        body = await find(client, again, timeout=settings.read_timeout)
    except CasebookError:
        return None
    found = SearchReply.from_reply(body).hits
    return found[0] if found else None
