"""Dead letters on real servers: kept as rows with their history, found, mended, put aside."""

import logging
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from actors import dead_letters, entries
from contracts.dead_letters import (
    DeadLetterWhole,
    DiscardDeadLetters,
    EditDeadLetter,
    GetDeadLetter,
    LetterFilter,
    LetterState,
    ListDeadLetters,
    RestoreDeadLetters,
)
from contracts.entries import CreateEntry, EntryFields
from contracts.errors import (
    DatabaseUnavailable,
    DeadLetterNotFound,
    EffectDone,
    LetterNotDead,
    LetterUnreadable,
    ValidationFailed,
)
from storage.postgres.store import Store
from tests.support.house import House, Work, work


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks here is meant to."""
    caplog.set_level(logging.CRITICAL)


def died(house: House, *texts: str) -> list[DeadLetterWhole]:
    """Letters of messages that were broken, in the order of the texts."""
    house.works.broken |= set(texts)
    ids = [house.send(work, Work(text=text)) for text in texts]
    with house.running("tests"):
        house.works.broken |= set(texts)
        wait_for_dead(house, len(texts))
    house.archive()
    found = dead_letters.list_page(ListDeadLetters(limit=500), house.store).letters
    by_message = {letter.message_id: letter.id for letter in found}
    return [read(house, by_message[one]) for one in ids]


def wait_for_dead(house: House, count: int, queue: str = "tests") -> None:
    """Return when that many letters are in the queue's `dead` stream."""
    keys, last, seen = house.broker.keys(queue), "0", 0
    while seen < count:
        answer = house.broker.link.ask_one((b"XREAD", b"BLOCK", 8000, b"STREAMS", keys.dead, last))
        assert answer, f"{seen} of {count} died"
        seen += len(answer[0][1])
        last = answer[0][1][-1][0].decode()


def read(house: House, letter: object) -> DeadLetterWhole:
    """A letter as it is now."""
    found: DeadLetterWhole = house.call(dead_letters.get, GetDeadLetter(id=letter))  # type: ignore[arg-type]  # a UUID
    return found


def test_a_letter_tells_the_whole_story(house: House) -> None:
    """The message as it was sent, and every attempt with its time, worker, error and traceback."""
    before = datetime.now(UTC)
    (letter,) = died(house, "x")
    assert (letter.actor, letter.queue, letter.reason) == (work.name, "tests", "failed")
    assert (letter.error, letter.message) == ("RuntimeError", "x is broken")
    assert letter.deliveries == len(letter.attempts) == 2
    for attempt in letter.attempts:
        assert abs(attempt.at - before) < timedelta(minutes=1)
        assert attempt.error == "builtins.RuntimeError"
        assert attempt.worker
        assert attempt.ms is not None
        assert "in work" in attempt.traceback
    assert letter.first_failed_at <= letter.failed_at
    assert letter.body is not None
    assert letter.body["args"][0]["text"] == "x"
    assert not {"attempts", "retries", "deliveries"} & set(letter.body["options"])
    assert letter.operation_id == letter.message_id == letter.body["message_id"]
    assert letter.size == len(orjson.dumps(letter.body))
    assert letter.replayable


def test_a_letter_leaves_redis_only_for_a_row(house: House) -> None:
    """While PostgreSQL is away it stays in Redis; afterwards it is in PostgreSQL, once."""
    house.works.broken.add("x")
    house.send(work, Work(text="x"))
    with house.running("tests"):
        wait_for_dead(house, 1)
    nowhere = Store("postgresql://nobody@127.0.0.1:1/none")
    nowhere.open()
    with pytest.raises(DatabaseUnavailable):
        House(house.broker, nowhere, house.works).archive()
    nowhere.close()
    assert house.broker.depth("tests")["dead"] == 1
    house.archive()
    house.archive()
    assert house.broker.depth("tests")["dead"] == 0
    assert dead_letters.count(LetterFilter(), house.store).count == 1


def test_a_letter_whose_removal_was_lost_is_kept_once(house: House) -> None:
    """Killed between the commit and the removal, archiving again changes nothing."""
    house.works.broken.add("x")
    house.send(work, Work(text="x"))
    with house.running("tests"):
        wait_for_dead(house, 1)
    keys = house.broker.keys("tests")
    before = house.broker.link.ask_one((b"DUMP", keys.dead))
    house.archive()
    house.broker.link.ask_one((b"RESTORE", keys.dead, 0, before, b"REPLACE"))
    assert house.broker.depth("tests")["dead"] == 1
    house.archive()
    assert dead_letters.count(LetterFilter(), house.store).count == 1
    assert house.broker.depth("tests")["dead"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\x00 not json",
        b"[]",
        b'{"queue_name":"q","actor_name":"a","args":[],"kwargs":{},"options":{"replays":"x",'
        b'"task":7},"message_id":"m","message_timestamp":1}',
        b'{"queue_name":"q","actor_name":"a\\u0000","args":["\\u0000"],"kwargs":{},'
        b'"options":{"replay_of":"no id"},"message_id":"m","message_timestamp":1}',
    ],
)
def test_nothing_stands_in_the_way_of_the_letters_behind_it(house: House, body: bytes) -> None:
    """Whatever bytes someone left in the stream become a letter that can be looked at."""
    keys = house.broker.keys("tests")
    for report in (b"{}", b"not json", b'{"attempts":[{"at":"x"}],"deliveries":"many"}'):
        house.broker.link.ask_one(
            (b"XADD", keys.dead, b"*", b"body", body, b"reason", b"undecodable", b"report", report)
        )
    house.archive()
    found = dead_letters.list_page(ListDeadLetters(), house.store).letters
    assert len(found) == 3
    for letter in found:
        assert read(house, letter.id).size > 0


def test_letters_are_found_by_what_is_known_of_them(house: House) -> None:
    """Each condition narrows, together they narrow further; pages follow each other by cursor."""
    letters = died(house, "100% done", "x_y", "plain")
    percent = letters[0]

    def ids(**conditions: object) -> set[object]:
        request = ListDeadLetters(**conditions)  # type: ignore[arg-type]  # conditions of a test
        return {one.id for one in dead_letters.list_page(request, house.store).letters}

    everything = {letter.id for letter in letters}
    assert ids() == everything
    assert ids(actor=work.name) == ids(queue="tests") == ids(reason="failed") == everything
    assert ids(error="RuntimeError") == ids(error="builtins.RuntimeError") == everything
    assert ids(text="100% DONE") == {percent.id}  # in the error's message, in any case
    assert ids(text="x_y") == {letters[1].id}
    assert ids(text='"text":"plain"') == {letters[2].id}  # in the body
    assert ids(text="xxy") == ids(actor="other") == ids(error="Other") == set()
    assert ids(since=percent.failed_at) >= {percent.id}
    assert percent.id not in ids(until=percent.failed_at)
    assert ids(ids=(percent.id,), actor=work.name) == {percent.id}
    assert ids(state=LetterState.DISCARDED) == set()

    first = dead_letters.list_page(ListDeadLetters(limit=2), house.store)
    rest = dead_letters.list_page(ListDeadLetters(limit=2, cursor=first.next_cursor), house.store)
    assert [*first.letters, *rest.letters] == sorted(
        (*first.letters, *rest.letters), key=lambda one: (one.failed_at, one.id), reverse=True
    )
    assert {one.id for one in (*first.letters, *rest.letters)} == everything
    assert rest.next_cursor is None


def test_a_cursor_not_of_ours_is_refused(house: House) -> None:
    """It is an error in the request, not one of the server's."""
    for cursor in ("x", "2026-01-01/x", "2026-01-01T00:00:00/" + "0" * 32, "\ud800"):
        with pytest.raises(ValidationFailed):
            dead_letters.list_page(ListDeadLetters(cursor=cursor), house.store)


def test_groups_count_what_died_alike(house: House) -> None:
    """By actor, reason and exception class, with the last one as example."""
    letters = died(house, "a", "b", "c")
    (group,) = dead_letters.groups(LetterFilter(), house.store).groups
    assert (group.count, group.actor, group.error) == (3, work.name, "RuntimeError")
    last = max(letters, key=lambda one: (one.failed_at, one.id))
    assert (group.example, group.message) == (last.id, last.message)
    assert group.first_failed_at == min(one.first_failed_at for one in letters)
    assert dead_letters.groups(LetterFilter(text="a is"), house.store).groups[0].count == 1


def test_discarded_letters_can_be_restored(house: House) -> None:
    """They leave the dead with a reason and a name, and come back; both are on record."""
    one, two = died(house, "a", "b")
    done = dead_letters.discard(
        DiscardDeadLetters(ids=(one.id,), why="a test", by="eve"), house.store
    )
    assert (done.count, done.more) == (1, False)
    shown = read(house, one.id)
    assert (shown.state, shown.discarded_why, shown.changed_by) == ("discarded", "a test", "eve")
    again = dead_letters.discard(DiscardDeadLetters(ids=(one.id,), why="again"), house.store)
    assert again.count == 0
    assert dead_letters.count(LetterFilter(), house.store).count == 1

    assert dead_letters.restore(RestoreDeadLetters(everything=True), house.store).count == 1
    assert dead_letters.count(LetterFilter(), house.store).count == 2
    assert read(house, one.id).discarded_why is None
    actions = [row["action"] for row in house.rows("select action from audit order by id")]
    assert actions == ["dead_letters.discarded", "dead_letters.dead"]
    assert read(house, two.id).state == "dead"


def test_everything_has_to_be_said(house: House) -> None:
    """A selection without a condition is refused: it is more often a slip than a wish."""
    with pytest.raises(ValueError, match="everything"):
        DiscardDeadLetters(why="oops")


def test_an_edited_letter_is_checked_and_becomes_a_message_of_its_own(house: House) -> None:
    """Against its actor's contract; with a new id and key; the request before is kept."""
    (letter,) = died(house, "a")
    with pytest.raises(ValidationFailed):
        house.call(dead_letters.edit, EditDeadLetter(id=letter.id, request={"txt": "b"}))
    assert letter.body is not None
    request = letter.body["args"][0] | {"text": "b"}
    command = EditDeadLetter(id=letter.id, request=request, by="eve")
    edited = house.call(dead_letters.edit, command)
    assert edited.body["args"][0]["text"] == "b"
    assert edited.body["args"][0]["instead_of"] == request["key"]
    assert edited.message_id == edited.body["message_id"] != letter.message_id
    assert edited.original == letter.body["args"][0]
    assert (edited.edited, edited.changed_by) == (True, "eve")
    assert house.call(dead_letters.edit, command) == edited  # arriving twice


def test_what_took_effect_is_not_edited(house: House) -> None:
    """A letter whose effect is in the database after all has nothing left to mend."""
    command = CreateEntry(entry=EntryFields(title="took effect"))
    house.broker.enqueue(entries.create.message(command))
    keys = house.broker.keys("entries")
    ((_, fields),) = house.broker.link.ask_one((b"XRANGE", keys.waiting, b"-", b"+"))
    house.broker.link.ask_one(
        (b"XADD", keys.dead, b"*", b"body", fields[1], b"reason", b"failed", b"report", b"{}")
    )
    house.archive()
    (letter,) = dead_letters.list_page(ListDeadLetters(), house.store).letters
    entries.create(command, house.store)
    changed = command.model_dump(mode="json") | {"entry": {"title": "another"}}
    with pytest.raises(EffectDone):
        house.call(dead_letters.edit, EditDeadLetter(id=letter.id, request=changed))


def test_letters_that_are_not_there_or_not_dead(house: House) -> None:
    """Each has its own error."""
    (letter,) = died(house, "a")
    with pytest.raises(DeadLetterNotFound):
        read(house, "01900000-0000-7000-8000-000000000000")
    dead_letters.discard(DiscardDeadLetters(ids=(letter.id,), why="done"), house.store)
    with pytest.raises(LetterNotDead):
        house.call(dead_letters.edit, EditDeadLetter(id=letter.id, request={}))


def test_an_unreadable_letter_can_only_be_discarded(house: House) -> None:
    """It shows its bytes; there is nothing to edit."""
    keys = house.broker.keys("tests")
    house.broker.link.ask_one(
        (b"XADD", keys.dead, b"*", b"body", b"\xff{", b"reason", b"undecodable", b"report", b"{}")
    )
    house.archive()
    (found,) = dead_letters.list_page(ListDeadLetters(), house.store).letters
    letter = read(house, found.id)
    assert (letter.body, letter.raw, letter.replayable) == (None, "\\xff{", False)
    with pytest.raises(LetterUnreadable):
        house.call(dead_letters.edit, EditDeadLetter(id=letter.id, request={}))
