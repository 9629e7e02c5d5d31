"""The rejects of an import, read a page at a time."""

from actors.actor import actor
from contracts.errors import ImportNotFound, ValidationFailed
from contracts.imports import GetRejects, Reject, RejectPage
from storage.postgres.store import Store

BEGINNING = (-1, -1)


@actor(queue="reads", read=True)
def list_page(request: GetRejects, store: Store) -> RejectPage:
    """One page, in the order of chunks and of places in them.

    Raises: ImportNotFound; ValidationFailed for a cursor that is none of ours.
    """
    chunk, place = _cursor(request.cursor)
    with store.transaction() as tx:
        if tx.row("imports.mode", id=request.id) is None:
            raise ImportNotFound(id=str(request.id))
        limit = request.limit + 1
        rows = tx.rows(
            "imports.rejects_after", id=request.id, chunk=chunk, place=place, limit=limit
        )
    found, more = rows[: request.limit], len(rows) > request.limit
    cursor = f"{found[-1]['chunk']}.{found[-1]['place']}" if more else None
    rejects = tuple(Reject(**{name: row[name] for name in Reject.model_fields}) for row in found)
    return RejectPage(rejects=rejects, next_cursor=cursor)


def _cursor(text: str | None) -> tuple[int, int]:
    if text is None:
        return BEGINNING
    chunk, _, place = text.partition(".")
    if chunk.isdecimal() and place.isdecimal() and max(len(chunk), len(place)) < 10:
        return int(chunk), int(place)
    error = {"field": "cursor", "code": "CURSOR_INVALID", "message": "is no cursor of a list"}
    raise ValidationFailed("This cursor is not one that a list gave.", errors=[error])
