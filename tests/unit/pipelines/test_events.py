"""Events as clients tell them: looked at one by one, each refusal says what is wrong."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts.analytics import Event, EventKind, EventsTaken, time_of
from contracts.errors import ValidationFailed
from contracts.search import SearchQuery
from pipelines.events import id_at, logged_in, searched, take
from pipelines.privacy import Pseudonyms

NAMES = Pseudonyms(b"key")
ENTRY = str(UUID(int=5))
NOW = datetime.now(UTC)


def given(*events: Any) -> tuple[list[Event], EventsTaken]:
    """What is taken of a request."""
    return take({"events": list(events)}, "ann", NAMES, keep_days=90)


def viewed(**fields: Any) -> dict[str, Any]:
    """A view as JSON."""
    return {"type": "viewed", "entry_id": ENTRY, **fields}


def test_good_events_are_taken_and_bad_ones_named() -> None:
    """One by one: a bad neighbour refuses nobody."""
    events, taken = given(viewed(), {"type": "danced"}, viewed(colour="red"), viewed())
    assert [event.kind for event in events] == [EventKind.VIEWED] * 2
    assert (taken.accepted, [one.index for one in taken.refused]) == (2, [1, 2])
    first = taken.refused[0].errors[0]
    assert (first["field"], first["code"]) == ("type", "LITERAL_ERROR")
    assert "'viewed', 'copied', 'rated'" in first["message"]
    assert taken.refused[1].errors[0]["field"] == "colour"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (viewed(at=(NOW + timedelta(hours=1)).isoformat()), "IN_FUTURE"),
        (viewed(id=str(id_at(NOW + timedelta(hours=1)))), "IN_FUTURE"),
        (viewed(id="ffffffff-ffff-7fff-bfff-ffffffffffff"), "IN_FUTURE"),
        (viewed(at=(NOW - timedelta(days=91)).isoformat()), "TOO_OLD"),
        (viewed(id="00000000-0000-7000-8000-000000000001"), "TOO_OLD"),
        (viewed(at="0001-01-01T00:00:00+14:00"), "TOO_OLD"),
        (viewed(at="2026-11-21T10:00:00"), "TIMEZONE_AWARE"),
        (viewed(id=str(uuid4())), "VALUE_ERROR"),
        (viewed(id=str(id_at(NOW)), at=NOW.isoformat()), "VALUE_ERROR"),
        ({"type": "viewed"}, "VALUE_ERROR"),
        ({"type": "searched"}, "LITERAL_ERROR"),
        ({"type": "rated", "entry_id": ENTRY}, "VALUE_ERROR"),
        ({"type": "rated", "entry_id": ENTRY, "rating": 6}, "LESS_THAN_EQUAL"),
        (
            {"type": "rated", "entry_id": ENTRY, "worked": True, "comment": "x" * 2**20},
            "TOO_LONG",
        ),
        (viewed(comment="no rating"), "VALUE_ERROR"),
        (viewed(session="a\0b"), "VALUE_ERROR"),
        ("no event", "MODEL_TYPE"),
        (None, "MODEL_TYPE"),
    ],
)
def test_what_is_wrong_is_said(event: Any, code: str) -> None:
    """With a code; nothing of the event is kept."""
    events, taken = given(event, viewed())
    assert len(events) == 1
    assert taken.refused[0].errors[0]["code"] == code


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        {},
        {"events": []},
        {"events": [viewed()] * 101},
        {"events": {}},
        {"events": [viewed()], "more": 1},
    ],
)
def test_a_body_of_another_form_is_refused_whole(body: Any) -> None:
    """And where none of its events can be taken."""
    with pytest.raises(ValidationFailed):
        take(body, "ann", NAMES, keep_days=90)


def test_where_no_event_can_be_taken_the_request_is_refused() -> None:
    """Each error names its event."""
    with pytest.raises(ValidationFailed) as refused:
        given({"type": "danced"}, {"type": "viewed"})
    assert [one["field"] for one in refused.value.details["errors"]] == [
        "events.0.type",
        "events.1",
    ]


def test_names_leave_as_pseudonyms_and_texts_masked() -> None:
    """Neither who nor which session is in the event, nor an address in a comment."""
    rated = {
        "type": "rated",
        "entry_id": ENTRY,
        "rating": 5,
        "comment": "ask\nann@example.com",
        "session": "tab-1",
        "user": "Ann Lee",
    }
    (event,), _ = given(rated)
    assert event.who == NAMES.of("user", "Ann Lee")
    assert event.session == NAMES.of("session", "tab-1")
    assert event.comment == "ask\n<email>"
    (event,), _ = given(viewed())
    assert event.who == NAMES.of("user", "ann")


def test_an_event_without_an_id_gets_one_of_its_time() -> None:
    """The id says when it was, to the millisecond."""
    at = NOW - timedelta(days=1)
    (event,), _ = given(viewed(at=at.isoformat()))
    assert abs(time_of(event.id) - at) < timedelta(milliseconds=1)
    assert event.id.version == 7


def test_a_login_is_one_event_a_day() -> None:
    """Whoever sees it: the same key on the same day of UTC is the same event, and no other is."""
    monday, tuesday = date(2026, 3, 2), date(2026, 3, 3)
    made = [logged_in(who, day) for who in (UUID(int=1), UUID(int=2)) for day in (monday, tuesday)]
    events = [Event.model_validate_json(one) for one in made]
    assert len({one.id for one in events}) == 4
    assert [time_of(one.id).date() for one in events] == [monday, tuesday] * 2
    assert logged_in(UUID(int=1), monday) == made[0]


def test_a_search_is_noted_with_what_it_showed() -> None:
    """Its query without addresses, its hits in order, its filters."""
    reply = orjson.dumps({"hits": [{"id": ENTRY}], "total": 12})
    request = SearchQuery(q="VSAM 35 for bob@example.com", category=("VSAM",), offset=10)
    made = searched(id_at(NOW), request, reply, 2.0, UUID(int=1), None)
    event = Event.model_validate_json(made)
    assert (event.query, event.normalised) == ("VSAM 35 for <email>", "vsam 35 for <email>")
    assert (event.total, event.first, event.hits) == (12, 10, (ENTRY,))
    assert (event.category, event.filters) == ("VSAM", {"category": ["VSAM"]})
