"""An entry for a person: as PostgreSQL has it, or, while that is away, as the index keeps it."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from contracts.entries import Entry, GetEntry
from contracts.errors import CasebookError
from contracts.search import SearchHit, SearchQuery, SearchReply
from contracts.selection import ShownField
from settings import Settings

WITHIN = 1.0  # seconds that the hits wait for the entry: they are what was asked for
PATIENCE = 3.0  # seconds that who asked for the entry waits until it is the index's that is shown
TELL = "`casebook status` tells what is away."
SHOWN: tuple[ShownField, ...] = (
    *("id", "title", "category", "severity", "tags", "version", "updated_at"),
    *("score", "matched", "problem", "solution"),
)


class Read(NamedTuple):
    """What is known of an entry, and why it is not more."""

    entry: Entry | SearchHit | None = None
    note: str = ""


async def whole(
    client: Any, settings: Settings, *, entry_id: UUID, timeout: float | None = None
) -> Entry:
    """The entry whole, within `timeout` seconds; part of a conversation. Raises EntryNotFound."""
    from actors import entries
    from pipelines.ask import ask_for

    request = GetEntry(id=entry_id)
    within = timeout or settings.read_timeout
    return await ask_for(Entry, client, entries.get, request, timeout=within)


async def read(client: Any, settings: Settings, *, entry_id: UUID) -> Read:
    """The entry, from wherever it can be read. Raises as `whole` where the index lacks it, too."""
    within = min(PATIENCE, settings.read_timeout)
    try:
        return Read(await whole(client, settings, entry_id=entry_id, timeout=within))
    except CasebookError as error:
        if not error.retryable:
            raise
        kept = await _kept(client, settings, SearchQuery(q=f"id:{entry_id}"))
        if kept is None or kept.id != entry_id:
            raise
        return Read(kept, f"The entry is as the index keeps it: {_reason(error)}. {TELL}")


async def best_of(
    client: Any, settings: Settings, request: SearchQuery, hits: Sequence[SearchHit]
) -> Read:
    """The entry of the first hit of `request`; part of a conversation. What can't be read raises
    nothing: the hits stand without it."""
    if not hits:
        return Read()
    best, what = hits[0].id, "The best hit's solution"
    try:
        return Read(await whole(client, settings, entry_id=best, timeout=WITHIN))
    except CasebookError as error:
        if not error.retryable:
            return Read(None, f"The best hit's entry can't be shown: {error.message}")
        reason = _reason(error)
    kept = await _kept(client, settings, request)
    if kept is None or kept.id != best:
        return Read(None, f"{what} can't be read now: {reason}. The hits stand; {TELL}")
    return Read(kept, f"{what} is as the index keeps it: {reason}. The hits stand; {TELL}")


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


def _reason(error: CasebookError) -> str:
    return f"{error.message.rstrip('.')} ({error.code})"
