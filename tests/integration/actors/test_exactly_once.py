"""Delivered at least once, done once: every writing operation, however its message arrives."""

import contextlib
import logging
import threading
from typing import Any

import dramatiq
import pytest

from actors import (
    dead_letters,
    entries,
    health,
    index,
    replay,
    saved_searches,
    similar,
    tasks,
    upkeep,
)
from actors.broker.delivery import Done
from actors.catalogue import OF_A_NODE, SHARED
from actors.tracking import Place
from contracts.base import Nothing, Write
from contracts.dead_letters import (
    DiscardDeadLetters,
    LettersChanged,
    MoveLetters,
    ReplayDeadLetters,
)
from contracts.entries import CreateEntry, EntryFields
from contracts.errors import CasebookError, DuplicateEntry, EffectDone, KeyReused
from contracts.tasks import ResumeTask
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey
from tests.integration.actors.writes import CASES, Case, Other, die, lie_dead, started, stored
from tests.support.copies import Copies, alike, dump
from tests.support.courier import deliver, deliver_at_once
from tests.support.house import House
from tests.support.waiting import SOON

#: One index has one writing process, and its queue one reader (storage/index/follower.py).
#: A copy of a house has no index to compare by: two turns at once are in test_similar.py
#: and test_saved_searches.py.
#: A sample holds what the server measures of itself: two copies of a house differ in it.
ALONE = {
    index.follow.name,
    index.rebuild.name,
    index.restore.name,
    similar.compare.name,
    health.observe.name,
    health.judge.name,
    saved_searches.match.name,
}

ALL = [pytest.param(case, id=name) for name, case in CASES.items()]
TOGETHER = [pytest.param(case, id=name) for name, case in CASES.items() if name not in ALONE]
BETWEEN = [
    pytest.param(case, other, id=f"{name}-{other.__name__.strip('_')}")
    for name, case in CASES.items()
    for other in case.others
]
#: A rebuild's key is that of its task: twice is only slower than once.
KEYED = [
    pytest.param(case, id=name)
    for name, case in CASES.items()
    if issubclass(case.operation.request, Write) and name not in ALONE
]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What is refused here is meant to be."""
    caplog.set_level(logging.CRITICAL)


@pytest.fixture(scope="module")
def copies(
    shared_postgres: EmbeddedPostgres,
    shared_valkey: EmbeddedValkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Copies:
    """Makes the houses."""
    return Copies(shared_postgres, shared_valkey, tmp_path_factory.mktemp("indexes"))


def test_every_write_of_the_catalogue_has_a_case() -> None:
    """A new operation that changes something is delivered twice here, or this fails."""
    writes = {one.name for one in (*SHARED, *OF_A_NODE) if not one.read}
    assert set(CASES) == writes


@pytest.mark.parametrize("case", ALL)
def test_a_second_delivery_changes_nothing(copies: Copies, case: Case) -> None:
    """Not one row, message or document; and it ends well, as the first did."""
    with copies.empty() as house:
        message = case.message(house)
        before = dump(house)
        assert isinstance(deliver(house, message), Done)
        once = dump(house)
        assert once != before, "the case tests nothing"
        assert isinstance(deliver(house, message), Done)
        assert dump(house) == once


@pytest.mark.parametrize("case", TOGETHER)
def test_two_deliveries_at_once_are_one(copies: Copies, case: Case) -> None:
    """Begun together in two threads they leave what one delivery leaves on the same ground."""
    with copies.empty() as house:
        message = case.message(house)
        ground = dump(house)
    with copies.copy() as house:
        deliver(house, message)
        once = dump(house)
    with copies.again() as house:
        outcomes = deliver_at_once(house, message)
        twice = dump(house)
    assert [type(one) for one in outcomes] == [Done, Done]
    assert alike(twice, ground) == alike(once, ground)


@pytest.mark.parametrize(("case", "other"), BETWEEN)
def test_what_came_between_is_not_undone(copies: Copies, case: Case, other: Other) -> None:
    """Delivered again after another write of the same, it neither repeats nor overrides."""
    with copies.empty() as house:
        message = case.message(house)
        assert isinstance(deliver(house, message), Done)
        _do(house, case, other, message)
        between = dump(house)
        assert isinstance(deliver(house, message), Done)
        assert dump(house) == between


@pytest.mark.parametrize(("case", "other"), BETWEEN)
def test_what_came_before_is_not_undone_twice(copies: Copies, case: Case, other: Other) -> None:
    """Delivered twice after another write of the same, it is done, or refused, as if once."""
    with copies.empty() as house:
        message = case.message(house)
        _do(house, case, other, message)
        deliver(house, message)
        once = dump(house, dead=False)
        deliver(house, message)
        assert dump(house, dead=False) == once


def _do(house: House, case: Case, other: Other, message: dramatiq.Message[Any]) -> None:
    with contextlib.suppress(CasebookError):  # some are refused by what came before
        other(house, case.operation.request_in(message.args[0]))


@pytest.mark.parametrize("case", KEYED)
def test_a_key_with_another_body_is_refused(copies: Copies, case: Case) -> None:
    """KEY_REUSED, and nothing is changed."""
    with copies.empty() as house:
        message = case.message(house)
        request: Any = case.operation.request_in(message.args[0])
        house.call(case.operation, request)
        once = dump(house)
        with pytest.raises(KeyReused):
            house.call(case.operation, request.model_copy(update={"by": "someone else"}))
        assert dump(house) == once


@pytest.mark.parametrize("edited_first", [True, False], ids=["edited first", "original first"])
@pytest.mark.parametrize("case", KEYED)
def test_of_a_request_and_its_edited_one_only_one_takes_effect(
    copies: Copies, case: Case, edited_first: bool
) -> None:
    """Whichever comes first; the other is refused, however often it comes."""
    with copies.empty() as house:
        message = case.message(house)
        original: Any = case.operation.request_in(message.args[0])
        edited = original.renewed().model_copy(update={"by": "editor"})
        first, second = (edited, original) if edited_first else (original, edited)
        house.call(case.operation, first)
        once = dump(house)
        for _ in range(2):
            with pytest.raises((EffectDone, KeyReused)):
                house.call(case.operation, second)
            house.call(case.operation, first)
        assert dump(house) == once


def test_an_effect_that_raises_leaves_no_key(copies: Copies) -> None:
    """What was refused is done when it comes again and nothing stands in its way."""
    with copies.empty() as house:
        held = stored(house, "held")
        command = CreateEntry(key="k", entry=EntryFields(title="held", category="Unheard of"))
        before = dump(house)
        with pytest.raises(DuplicateEntry):
            house.call(entries.create, command)
        assert dump(house) == before
        with house.store.transaction() as tx:
            tx.run("entries.delete", id=held)
        assert house.call(entries.create, command).entry.title == "held"


def test_a_letter_that_is_archived_again_fails_no_task_again(copies: Copies) -> None:
    """Killed between the row and the removal from Redis: meanwhile its task was resumed."""
    with copies.empty() as house:
        task_id = started(house)
        die(house, "a", place=Place(task_id, 0, 0))
        link, dead = house.broker.link, house.broker.keys("tests").dead
        link.ask_one((b"COPY", dead, b"there still"))
        house.archive()
        assert house.rows("select status from tasks") == [{"status": "failed"}]
        house.call(tasks.resume, ResumeTask(id=task_id))
        link.ask_one((b"RENAME", b"there still", dead))
        resumed = dump(house, dead=False)
        deliver(house, upkeep.archive.message(Nothing()))
        assert dump(house, dead=False) == resumed


def test_two_turns_of_a_replay_share_its_letters(copies: Copies) -> None:
    """While one holds the next letters, another waits for it, and does not take them for the last.

    Otherwise it would end the task, and the rest would never be moved.
    """
    with copies.empty() as house:
        lie_dead(house, *"abcd")
        started = house.call(replay.start, ReplayDeadLetters(everything=True))
        move, more = MoveLetters(task=started.task, rate=4.0), []  # two letters a batch
        turn = threading.Thread(
            target=lambda: more.append(replay._move(move, house.store, house.broker))
        )
        with house.store.transaction() as tx:
            assert replay._take(move, tx)[0]
            turn.start()
            house.until("select 1 from pg_stat_activity where wait_event_type = 'Lock'")
        turn.join(SOON)
        assert more == [True]
        assert house.broker.depth("tests")["waiting"] == 4


def test_a_turn_marks_only_what_it_has_sent(copies: Copies) -> None:
    """Letters that another turn took and, killed, did not send are sent by the next."""
    with copies.empty() as house:
        lie_dead(house, *"abcd")
        started = house.call(replay.start, ReplayDeadLetters(everything=True))
        move = MoveLetters(task=started.task, rate=4.0)

        class Meanwhile:
            """The broker, at the moment at which the other turn takes its letters."""

            def enqueue_many(self, messages: Any) -> list[bool]:
                with house.store.transaction() as tx:
                    replay._take(move, tx)
                return house.broker.enqueue_many(messages)

            def __getattr__(self, name: str) -> Any:
                return getattr(house.broker, name)

        broker: Any = Meanwhile()
        replay._move(move, house.store, broker)
        states = house.rows("select state, count(*) as n from dead_letters group by 1 order by 1")
        assert {row["state"]: row["n"] for row in states} == {"replayed": 2, "replaying": 2}
        assert house.call(replay.move, MoveLetters(task=started.task)).moved == 4
        assert house.broker.depth("tests")["waiting"] == 4


def test_a_discard_in_parts_ends_what_it_began(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two slices, its second arrival does the rest, and nothing that died since."""
    monkeypatch.setattr(dead_letters, "SLICE", 2)
    with copies.empty() as house:
        lie_dead(house, *"abcde")
        command = DiscardDeadLetters(reason="failed", why="nobody waits")
        with monkeypatch.context() as killed:
            killed.setattr(dead_letters, "CALL", 2)
            assert house.call(dead_letters.discard, command) == LettersChanged(count=2, more=True)
        assert house.call(dead_letters.discard, command) == LettersChanged(count=5)
        lie_dead(house, "later")
        assert house.call(dead_letters.discard, command) == LettersChanged(count=5)
        (letter,) = house.rows("select message from dead_letters where state = 'dead'")
        assert letter["message"] == "later"
