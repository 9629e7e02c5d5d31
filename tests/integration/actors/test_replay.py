"""Replay on real servers: a frozen selection, moved once, at a rate, stopped and taken up again."""

import logging
import threading
from uuid import UUID

import pytest

from actors import dead_letters, replay, tasks
from actors.tracking import Tracked
from contracts.base import Nothing
from contracts.dead_letters import (
    DiscardDeadLetters,
    LetterFilter,
    ListDeadLetters,
    MoveLetters,
    ReplayDeadLetters,
    ReplayStarted,
)
from contracts.errors import NotFinished, QueueUnavailable
from contracts.tasks import CancelTask, GetTask, ResumeTask, Task
from tests.integration.actors.test_dead_letters import died, read, wait_for_dead
from tests.support.house import House, Work, work

DONE = "select 1 from tasks where id = %s and status = %s"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks here is meant to."""
    caplog.set_level(logging.CRITICAL)


def start(house: House, **fields: object) -> ReplayStarted:
    """Begin a replay; by default of everything."""
    selection = fields if set(fields) - {"rate", "key"} else fields | {"everything": True}
    command = ReplayDeadLetters(**selection)  # type: ignore[arg-type]  # fields of a test
    started: ReplayStarted = house.call(replay.start, command)
    return started


def task_of(house: House, task: UUID) -> Task:
    """The task as it is."""
    found: Task = house.call(tasks.get, GetTask(id=task))
    return found


def dead(house: House) -> int:
    """How many letters are among the dead."""
    return dead_letters.count(LetterFilter(), house.store).count


def test_a_replay_does_the_work_after_all(house: House) -> None:
    """Mended, the same messages are sent again with their ids; the task counts them."""
    letters = died(house, "a", "b", "c")
    house.works.broken.clear()
    started = start(house)
    assert (started.count, started.refused) == (3, {})
    with house.running("upkeep", "tests"):
        house.works.wait(a=1, b=1, c=1)
        house.until(DONE, started.task, "succeeded")
    task = task_of(house, started.task)
    assert (task.type, task.done, task.total) == ("replay", 3, 3)
    assert task.result == {"moved": 3, "taken_meanwhile": 0}
    assert [(step.name, step.status) for step in task.steps] == [("move", "succeeded")]
    for letter in letters:
        now = read(house, letter.id)
        assert (now.state, now.replayed_by) == ("replayed", started.task)
    assert dead(house) == 0
    assert house.works.done == {"a": 1, "b": 1, "c": 1}
    (row,) = house.rows("select by, target, details from audit")
    assert row["target"] == str(started.task)
    assert row["details"]["count"] == 3


def test_what_dies_again_comes_back_marked(house: House) -> None:
    """With the count of its replays and the letter that it was; its attempts begin anew."""
    (letter,) = died(house, "a")
    for replays in (1, 2):
        start(house)
        with house.running("upkeep", "tests"):
            wait_for_dead(house, 1)
        house.archive()
        (found,) = dead_letters.list_page(ListDeadLetters(), house.store).letters
        again = read(house, found.id)
        assert (again.replays, again.replay_of) == (replays, letter.id)
        assert again.message_id == letter.message_id
        assert (again.deliveries, len(again.attempts)) == (2, 2)
        letter = again


def test_a_dry_run_changes_nothing(house: House) -> None:
    """It counts what would be moved and refused."""
    died(house, "a", "b")
    request = ReplayDeadLetters(text="a is")
    assert house.call(replay.plan, request).count == 1
    assert dead(house) == 2
    assert house.rows("select 1 from tasks") == house.rows("select 1 from audit") == []


def test_what_no_actor_takes_is_refused(house: House) -> None:
    """Unknown actors and unreadable bodies stay dead, and are counted."""
    died(house, "a")
    keys = house.broker.keys("tests")
    stranger = work.message(Work(text="x"))
    for body in (b"?", stranger.encode().replace(b'"house.work"', b'"no.such"')):
        house.broker.link.ask_one(
            (b"XADD", keys.dead, b"*", b"body", body, b"reason", b"failed", b"report", b"{}")
        )
    house.archive()
    refused = {"unreadable": 1, "unknown_actor": 1}
    assert house.call(replay.plan, ReplayDeadLetters(everything=True)).refused == refused
    started = start(house)
    assert (started.count, started.refused) == (1, refused)
    with house.running("upkeep"):
        house.until(DONE, started.task, "succeeded")
    assert dead(house) == 2


def test_two_replays_at_once_move_each_letter_once(house: House) -> None:
    """Both have selected all of them; what one has taken the other passes over."""
    texts = [f"t{n}" for n in range(60)]
    died(house, *texts)
    house.works.broken.clear()
    both = [start(house), start(house)]
    assert [one.count for one in both] == [60, 60]
    with house.running("upkeep", "tests", threads=3):
        house.works.wait(**dict.fromkeys(texts, 1))
        for one in both:
            house.until(DONE, one.task, "succeeded")
    assert set(house.works.done.values()) == {1}
    results = [task_of(house, one.task).result for one in both]
    assert sum(result["moved"] for result in results) == 60
    assert all(result["moved"] + result["taken_meanwhile"] == 60 for result in results)


def test_what_was_taken_before_a_crash_is_sent_once(house: House) -> None:
    """Killed after the rows, or after the messages: the next turn ends what was begun."""
    died(house, "a", "b", "c")
    house.works.broken.clear()
    started = start(house)
    move = MoveLetters(task=started.task)
    with house.store.transaction() as tx:  # died between the rows and the messages
        tx.row("dead_letters.take", task_id=started.task, by="", limit=2, bytes=10**6)
    rows = house.rows("select id from dead_letters where state = 'replaying'")
    assert len(rows) == 2
    assert replay._move(move, house.store, house.broker)
    # Died after the messages and before their rows said so.
    with house.store.transaction() as tx:
        tx.connection.execute("update dead_letters set state = 'replaying'")
    house.call(replay.move, move)
    assert house.broker.depth("tests")["waiting"] == 3
    with house.running("tests"):
        house.works.wait(a=1, b=1, c=1)
    assert house.works.done == {"a": 1, "b": 1, "c": 1}


def test_redis_away_loses_no_letter_of_a_replay(house: House) -> None:
    """The turn fails, its letters are half-way, and the next turn sends them."""
    died(house, "a", "b")
    house.works.broken.clear()
    started = start(house)
    move = MoveLetters(task=started.task)
    gone = House(type(house.broker)("redis://127.0.0.1:1"), house.store, house.works)
    gone.broker.resources = house.broker.resources
    with pytest.raises(QueueUnavailable):
        replay._move(move, house.store, gone.broker)
    assert len(house.rows("select 1 from dead_letters where state = 'replaying'")) == 2
    house.call(replay.move, move)
    with house.running("tests"):
        house.works.wait(a=1, b=1)


def test_the_selection_is_frozen(house: House) -> None:
    """What dies later is not moved, what was discarded meanwhile is left alone."""
    one, _ = died(house, "a", "b")
    started = start(house)
    dead_letters.discard(DiscardDeadLetters(ids=(one.id,), why="not that one"), house.store)
    (later,) = died(house, "c")
    house.works.broken.clear()
    with house.running("upkeep", "tests"):
        house.works.wait(b=1)
        house.until(DONE, started.task, "succeeded")
    assert read(house, later.id).state == "dead"
    assert read(house, one.id).state == "discarded"
    assert task_of(house, started.task).result == {"moved": 1, "taken_meanwhile": 1}


def test_a_rate_moves_a_little_at_a_time(house: House) -> None:
    """A turn moves half a second's worth and says when it goes on."""
    died(house, *(f"t{n}" for n in range(5)))
    started = start(house, rate=4.0)
    move = MoveLetters(task=started.task, rate=4.0)
    with pytest.raises(NotFinished) as stopped:
        house.call(replay.move, move)
    assert stopped.value.delay == 500
    assert house.broker.depth("tests")["waiting"] == 2
    assert task_of(house, started.task).done == 2


def test_a_replay_is_stopped_and_taken_up_again(house: House) -> None:
    """Canceled it moves no more; resumed it moves the rest."""
    texts = [f"t{n}" for n in range(6)]
    died(house, *texts)
    house.works.broken.clear()
    started = start(house, rate=4.0)
    with pytest.raises(NotFinished):
        house.call(replay.move, MoveLetters(task=started.task, rate=4.0))
    assert house.call(tasks.cancel, CancelTask(id=started.task)).status == "canceled"
    with house.running("upkeep", "tests"):
        # The message that was on its way is done with: its task was canceled.
        until_empty(house, "upkeep")
        until_empty(house, "tests")
    assert sum(house.works.done.values()) == 2
    assert dead(house) == 4
    assert task_of(house, started.task).done == 2
    house.call(tasks.resume, ResumeTask(id=started.task))
    with house.running("upkeep", "tests"):
        house.works.wait(**dict.fromkeys(texts, 1))
        house.until(DONE, started.task, "succeeded")
    assert house.works.done == dict.fromkeys(texts, 1)


def until_empty(house: House, queue: str) -> None:
    """Return when nothing is left in the queue. Fails when something stays."""
    pause = threading.Event()
    for _ in range(400):
        depth = house.broker.depth(queue)
        if not depth["waiting"] and not depth["delayed"]:
            return
        pause.wait(0.02)
    raise AssertionError(depth)


def test_tracked_is_nothing_outside_a_task(house: House) -> None:
    """An operation that reports may be called as a function."""
    tracked: Tracked = house.broker.resources[Tracked]
    tracked.report(1, 2)
    tracked.check()


def test_letters_in_hand_of_a_canceled_replay_are_dead_again(house: House) -> None:
    """Canceled and killed between a letter's row and its queue, nobody else would take them."""
    died(house, "a", "b")
    started = start(house)
    with house.store.transaction() as tx:
        replay._take(MoveLetters(task=started.task), tx)
    house.call(tasks.cancel, CancelTask(id=started.task))
    house.call(tasks.sweep, Nothing())
    assert dead(house) == 0  # whoever has them may still be at work
    with house.store.transaction() as tx:
        tx.connection.execute("update dead_letters set changed_at = now() - interval '2 minutes'")
    house.call(tasks.sweep, Nothing())
    assert dead(house) == 2
