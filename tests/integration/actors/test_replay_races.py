"""Replays that meet each other, cancels and tasks: no letter is lost or claimed to be sent."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actors import dead_letters, replay, tasks
from contracts.dead_letters import (
    DiscardDeadLetters,
    LetterFilter,
    LetterState,
    MoveLetters,
    ReplayDeadLetters,
    RestoreDeadLetters,
)
from contracts.errors import NotFinished
from contracts.tasks import CancelTask, ResumeTask
from tests.integration.actors.test_dead_letters import died, read, wait_for_dead
from tests.integration.actors.test_replay import start, until_empty
from tests.integration.actors.test_tasks import DONE, state, step
from tests.integration.actors.test_tasks import start as start_task
from tests.support.house import House, work

TAKE = "dead_letters.take"
BLOCKED = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks here is meant to."""
    caplog.set_level(logging.CRITICAL)


def test_a_turn_that_comes_twice_at_once_leaves_nothing_behind(house: House) -> None:
    """The second waits for the first and takes the next letters; it does not say that all moved."""
    died(house, *(f"t{n}" for n in range(5)))
    started = start(house, rate=4.0)
    move = MoveLetters(task=started.task, rate=4.0)
    with ThreadPoolExecutor(1) as pool:
        with house.store.transaction() as tx:
            tx.row("tasks.lock", id=started.task)
            tx.row(TAKE, task_id=started.task, by="", limit=2, bytes=10**6)
            second = pool.submit(house.call, replay.move, move)
            house.until(BLOCKED)
        with pytest.raises(NotFinished):
            second.result(30)
    assert house.broker.depth("tests")["waiting"] == 4


def test_only_what_was_sent_is_marked_as_replayed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters that the same turn, delivered twice, has taken and not sent yet stay half-way."""
    letters = died(house, "a", "b", "c")
    started = start(house, rate=2.0)
    send = house.broker.enqueue_many

    def meanwhile(messages: Any) -> list[bool]:
        with house.store.transaction() as tx:
            tx.row(TAKE, task_id=started.task, by="", limit=1, bytes=10**6)
        return send(messages)

    monkeypatch.setattr(house.broker, "enqueue_many", meanwhile)
    assert replay._move(MoveLetters(task=started.task, rate=2.0), house.store, house.broker)
    states = sorted(read(house, one.id).state for one in letters)
    assert states == ["dead", "replayed", "replaying"]
    monkeypatch.undo()
    assert replay._move(MoveLetters(task=started.task, rate=2.0), house.store, house.broker)
    assert {read(house, one.id).state for one in letters} == {"replayed"}
    assert house.broker.depth("tests")["waiting"] == 3


def test_a_member_of_a_canceled_task_is_not_replayed(house: House) -> None:
    """It would be skipped, and be gone: it stays dead and counted until its task is resumed."""
    house.works.broken.add("a")
    task = start_task(house, step("one", "a"))
    with house.running("tests"):
        wait_for_dead(house, 1)
    house.call(tasks.cancel, CancelTask(id=task))
    house.archive()
    house.works.broken.clear()
    asked = ReplayDeadLetters(task=task)
    plan = house.call(replay.plan, asked)
    assert (plan.count, plan.refused) == (0, {"task_canceled": 1})
    assert house.call(replay.start, asked).count == 0
    house.call(tasks.resume, ResumeTask(id=task))
    with house.running("tests"):
        house.until(DONE, task, "succeeded")
    assert house.works.done == {"a": 1}


def test_of_a_resumed_member_only_the_new_message_goes_on(house: House) -> None:
    """The one from before the cancel, still in its queue, is skipped: it can't fail the task."""
    house.works.broken.add("a")
    task = start_task(house, step("one", "a"))
    house.call(tasks.cancel, CancelTask(id=task))
    house.call(tasks.resume, ResumeTask(id=task))
    with house.running("tests"):
        wait_for_dead(house, 1)
        until_empty(house, "tests")
    house.archive()
    assert dead_letters.count(LetterFilter(), house.store).count == 1


def test_a_letter_that_arrives_again_does_not_fail_its_resumed_task(house: House) -> None:
    """Its removal from Redis was lost; meanwhile its member was sent anew."""
    house.works.broken.add("a")
    task = start_task(house, step("one", "a"))
    with house.running("tests"):
        wait_for_dead(house, 1)
    keys = house.broker.keys("tests")
    before = house.broker.link.ask_one((b"DUMP", keys.dead))
    house.archive()
    house.call(tasks.resume, ResumeTask(id=task))
    house.broker.link.ask_one((b"RESTORE", keys.dead, 0, before, b"REPLACE"))
    house.archive()
    assert state(house, task).status == "processing"


def test_what_is_too_large_to_be_sent_stays(house: House) -> None:
    """It is counted, and does not hold up those that are replayed with it."""
    died(house, "a")
    house.works.broken.clear()
    keys = house.broker.keys("tests")
    for size in (2**20 - 100, 2**21):  # within the limit until the replay adds to it, and beyond
        message = work.message({"text": "x" * size})
        body = message.encode()
        house.broker.link.ask_one(
            (b"XADD", keys.dead, b"*", b"body", body, b"reason", b"too_large", b"report", b"{}")
        )
    house.archive()
    plan = house.call(replay.plan, ReplayDeadLetters(everything=True))
    assert (plan.count, plan.refused) == (1, {"too_large": 1, "unreadable": 1})
    started = start(house)
    with house.running("upkeep", "tests"):
        house.until(DONE, started.task, "succeeded")
        house.works.wait(a=1)
    largest = house.rows("select id from dead_letters order by size desc limit 1")[0]["id"]
    assert len(read(house, largest).raw or "") <= dead_letters.RAW_MAX


def test_only_letters_in_the_right_state_are_acted_on() -> None:
    """What is on its way belongs to its replay; what is discarded is restored first."""
    for one in LetterState:
        for kind, fields in ((ReplayDeadLetters, {}), (DiscardDeadLetters, {"why": "x"})):
            if one != LetterState.DEAD:
                with pytest.raises(ValueError, match="dead"):
                    kind(everything=True, state=one, **fields)
    for one in (LetterState.DEAD, LetterState.REPLAYING):
        with pytest.raises(ValueError, match="discarded or replayed"):
            RestoreDeadLetters(everything=True, state=one)


def test_an_empty_text_is_no_condition() -> None:
    """`--text "$WORD"` with an empty WORD must not discard every letter."""
    with pytest.raises(ValueError, match="text"):
        DiscardDeadLetters(text="", why="x")
