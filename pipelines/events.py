"""Events from what clients tell and from searches."""

import asyncio
import contextlib
import math
import random
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from actors import analytics
from actors.broker.client import Client
from contracts.analytics import (
    COMMENT_MAX,
    GIVEN_MAX,
    Event,
    EventKind,
    EventsTaken,
    GivenEvent,
    RefusedEvent,
    time_of,
)
from contracts.base import field_errors, new_id
from contracts.errors import CasebookError, ValidationFailed
from contracts.search import SearchQuery
from pipelines.privacy import Pseudonyms, mask, normalised

FILTERS = ("category", "tag", "severity")
TELL_WITHIN = 0.2  # seconds that sending one event may take
TELL_WAITING = 200  # messages in the queue from which on an event is not worth another
AHEAD = timedelta(minutes=5)  # that a client's clock may be fast


def take(
    body: Any, by: str, names: Pseudonyms, *, keep_days: int
) -> tuple[list[Event], EventsTaken]:
    """The events of a request's JSON, looked at one by one, and what the client is told.

    Raises: ValidationFailed for a body of another form, and where no event could be taken.
    """
    given = body.get("events") if isinstance(body, dict) and set(body) == {"events"} else None
    if not isinstance(given, list) or not 1 <= len(given) <= GIVEN_MAX:
        text = f'must be {{"events": [...]}} with 1 to {GIVEN_MAX} events'
        raise ValidationFailed(errors=[{"field": "body", "code": "EVENTS", "message": text}])
    events: list[Event] = []
    refused: list[RefusedEvent] = []
    for index, one in enumerate(given):
        try:
            events.append(_taken(GivenEvent.model_validate(one), by, names, keep_days))
        except ValidationError as error:
            errors = field_errors(error.errors(include_url=False, include_context=False))
            refused.append(RefusedEvent(index=index, errors=tuple(errors)))
        except ValidationFailed as error:
            refused.append(RefusedEvent(index=index, errors=tuple(error.details["errors"])))
    if not events:
        raise ValidationFailed(
            "None of the events could be taken.",
            errors=[
                {**error, "field": f"events.{one.index}.{error['field']}".rstrip(".")}
                for one in refused
                for error in one.errors
            ],
        )
    return events, EventsTaken(accepted=len(events), refused=tuple(refused))


def _taken(given: GivenEvent, by: str, names: Pseudonyms, keep_days: int) -> Event:
    """Raises: ValidationFailed for a time that is not kept."""
    fields = given.model_dump(
        include={"search_id", "entry_id", "rank", "rating", "worked"}, exclude_none=True
    )
    if given.query is not None:
        fields["query"] = mask(given.query)
        fields["normalised"] = normalised(fields["query"])
    if given.comment is not None:
        fields["comment"] = mask(given.comment, COMMENT_MAX)
    if given.session is not None:
        fields["session"] = names.of("session", given.session)
    return Event(
        id=_at_a_time_that_is_kept(given, keep_days),
        kind=EventKind(given.type),
        who=names.of("user", given.user or by),
        **fields,
    )


def _at_a_time_that_is_kept(given: GivenEvent, keep_days: int) -> UUID:
    """The event's id. Raises: ValidationFailed."""
    now, field = datetime.now(UTC), "at" if given.id is None else "id"
    try:
        at = given.at or (time_of(given.id) if given.id else now)
        if at > now + AHEAD:
            raise _refusal(field, "IN_FUTURE", f"is {at:%Y-%m-%dT%H:%M:%SZ}: it has not been yet")
        if at < now - timedelta(days=keep_days):
            raise _refusal(field, "TOO_OLD", f"is older than the {keep_days} days that are kept")
    except (ValueError, OverflowError):
        raise _refusal(field, "IN_FUTURE", "says a time that no clock shows") from None
    return given.id or id_at(at)


def _refusal(field: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed(errors=[{"field": field, "code": code, "message": message}])


def id_at(at: datetime, rest: int | None = None) -> UUID:
    """A UUIDv7 of a moment that may be another than now; `rest` (80 bits) by default at random."""
    low = random.getrandbits(80) if rest is None else rest
    value = math.floor(at.timestamp() * 1000) << 80 | low
    return UUID(int=value & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def searched(
    search_id: UUID,
    request: SearchQuery,
    reply: bytes,
    took_ms: float,
    who: UUID | None,
    session: UUID | None,
) -> bytes:
    """The JSON of a search's Event, from that of its SearchReply.

    There is one for every search, so it is written as it stands, without a model in between.
    """
    found = orjson.loads(reply)
    query = mask(request.q)
    filters = {name: given for name in FILTERS if (given := getattr(request, name))}
    event = {
        "id": search_id,
        "kind": EventKind.SEARCHED,
        "who": who,
        "session": session,
        "query": query,
        "normalised": normalised(query),
        "total": found["total"],
        "took_ms": round(took_ms, 3),
        "first": request.offset,
        "hits": [hit["id"] for hit in found["hits"]],
        "filters": filters or None,
        "category": request.category[0] if len(request.category) == 1 else None,
    }
    return orjson.dumps(event)


def viewed(entry_id: UUID, search_id: UUID, who: UUID | None) -> bytes:
    """The JSON of the event that an entry was read because of a search."""
    event = Event(
        id=new_id(), kind=EventKind.VIEWED, entry_id=entry_id, search_id=search_id, who=who
    )
    return event.model_dump_json(exclude_none=True).encode()


def logged_in(who: UUID, day: date) -> bytes:
    """The JSON of the event that a key was used for the first time on a day of UTC.

    Its id is made of both: whoever sees another first use of that day names the same event. So
    its time is that of the day's begin.
    """
    digest = blake2b(who.bytes + day.isoformat().encode(), digest_size=10).digest()
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    event = Event(id=id_at(start, int.from_bytes(digest)), kind=EventKind.LOGGED_IN, who=who)
    return event.model_dump_json(exclude_none=True).encode()


def exported(entries: int, kind: str, who: UUID | None) -> bytes:
    """The JSON of the event that so many entries were written to files of a kind."""
    details = {"entries": entries, "format": kind}
    event = Event(id=new_id(), kind=EventKind.EXPORTED, who=who, details=details)
    return event.model_dump_json(exclude_none=True).encode()


async def tell(client: Client, event: bytes) -> None:
    """Send one event, if that is done at once: it is worth neither an error nor a wait."""
    message = analytics.record.message({"events": [orjson.Fragment(event)]})
    with contextlib.suppress(CasebookError, TimeoutError):
        async with asyncio.timeout(TELL_WITHIN):
            if await client.backlog(message.queue_name) < TELL_WAITING:
                await client.send(message)


def dropped(count: int) -> Event:
    """So many events were dropped."""
    return Event(id=new_id(), kind=EventKind.DROPPED, total=count)
