"""Replays that meet each other, cancels and tasks: no letter is lost or claimed to be sent."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actors import replay
from contracts.dead_letters import MoveLetters
from contracts.errors import NotFinished
from tests.integration.actors.test_dead_letters import died, read
from tests.integration.actors.test_replay import start
from tests.support.house import House

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
