"""Letters that no release of ours would write, and requests that PostgreSQL can't hold."""

import orjson
import pytest

from actors import dead_letters, entries
from contracts.dead_letters import DeadLetter, EditDeadLetter, ListDeadLetters
from contracts.entries import CreateEntry, EntryFields
from contracts.errors import EffectDone
from tests.integration.actors.test_dead_letters import read
from tests.support.house import House

MESSAGE = {
    "queue_name": "entries",
    "actor_name": "entries.create",
    "args": [{"entry": {"title": "mended"}, "key": "k"}],
    "kwargs": {},
    "options": {},
    "message_id": "m",
    "message_timestamp": 1,
}


def bury(house: House, message: object, report: object, reason: str = "invalid") -> None:
    """Put a message among the dead of `entries`, as a worker or a stranger would."""
    place = house.broker.keys("entries").dead
    fields = (b"body", orjson.dumps(message), b"reason", reason, b"report", orjson.dumps(report))
    house.broker.link.ask_one((b"XADD", place, b"*", *fields))


def letters_of(house: House) -> tuple[DeadLetter, ...]:
    """Every letter."""
    house.archive()
    return dead_letters.list_page(ListDeadLetters(limit=500), house.store).letters


@pytest.mark.parametrize(
    ("changed", "report", "reason"),
    [
        ({"actor_name": "".join(chr(0x4E00 + n) for n in range(20_000))}, {}, "failed"),
        ({"message_id": "".join(chr(0x4E00 + n) for n in range(20_000))}, {}, "failed"),
        ({"options": {"replays": 10**12}}, {}, "failed"),
        ({"options": {"task": ["01900000-0000-7000-8000-000000000000", 10**12, 0]}}, {}, "failed"),
        ({}, {"deliveries": 10**12}, "failed"),
        ({}, {"attempts": [{"at": 1}, {"at": "x"}, {"at": 2, "worker": 5, "ms": "y"}]}, "failed"),
        ({}, {"attempts": [{"at": 1, "error": "e" * 100_000, "worker": 5}]}, "failed"),
        ({}, {}, "r" * 100_000),
        ({"kwargs": 5}, {}, "failed"),
    ],
)
def test_whatever_is_among_the_dead_becomes_a_letter_that_can_be_shown(
    house: House, changed: dict[str, object], report: object, reason: str
) -> None:
    """It must not stand in the way of those behind it, in Redis, in a list or in a replay."""
    bury(house, MESSAGE | changed, report, reason)
    bury(house, MESSAGE, {})
    found = letters_of(house)
    assert len(found) == 2
    for letter in found:
        assert read(house, letter.id).id == letter.id


def test_a_request_with_nul_can_be_mended(house: House) -> None:
    """The character that made it invalid does not keep the letter from being edited."""
    request = {"entry": {"title": "nul \0 here"}, "key": "k"}
    bury(house, MESSAGE | {"args": [request]}, {})
    (letter,) = letters_of(house)
    command = EditDeadLetter(id=letter.id, request={"entry": {"title": "mended"}})
    edited = house.call(dead_letters.edit, command)
    assert edited.original["entry"]["title"] == "nul \N{SYMBOL FOR NULL} here"
    assert house.call(dead_letters.edit, command) == edited


def test_a_mended_request_stands_for_the_first_whatever_its_key(house: House) -> None:
    """Who leaves out the key in the editor does not get two effects."""
    bury(house, MESSAGE, {})
    (letter,) = letters_of(house)
    for title in ("once", "twice"):
        request = {"entry": {"title": title}}
        edited = house.call(dead_letters.edit, EditDeadLetter(id=letter.id, request=request))
        assert edited.body["args"][0]["instead_of"] == "k"
    entries.create(CreateEntry(key="k", entry=EntryFields(title="took effect")), house.store)
    with pytest.raises(EffectDone):
        house.call(dead_letters.edit, EditDeadLetter(id=letter.id, request=request))


@pytest.mark.parametrize("value", ["\ud800", 10**30, [[]]])
def test_a_request_that_no_message_can_carry_is_refused(value: object) -> None:
    """It is an error of the field that is named, not of the server."""
    for _ in range(300):
        if isinstance(value, list):
            value = [value]
    with pytest.raises(ValueError, match="can't be sent"):
        EditDeadLetter(id="01900000-0000-7000-8000-000000000000", request={"x": value})  # type: ignore[arg-type]  # an id as text


def test_keys_and_names_hold_no_nul() -> None:
    """PostgreSQL's text can't: it is refused before it is sent."""
    with pytest.raises(ValueError, match="NUL"):
        CreateEntry(key="a\0b", entry=EntryFields(title="a title"))
