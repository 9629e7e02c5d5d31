"""The pace of an import, against an index of a known speed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from contracts.errors import IndexUnavailable
from contracts.search import IndexStatus
from pipelines import pace as module
from pipelines.pace import CLOSE, FIRST, GUESS, LOOK, LOST, SLOWEST, Pace, keep

ROWS = 400  # of a chunk
COMMIT = 3.0  # seconds between two commits of the index, which is what can be seen
STEP = 0.01  # seconds


def imported(stores: float, indexes: float, seconds: float) -> tuple[float, int]:
    """Seconds of indexing that are left after the last row, and rows that went out.

    Both rates are in rows a second.
    """
    pace, written, look, commit = Pace(), 0, LOOK, COMMIT
    indexed, seen, due = 0.0, 0, 0.0
    for now in (STEP * turn for turn in range(int(seconds / STEP))):
        if now >= due:
            written += ROWS
            due = now + ROWS / stores + pace.pause(ROWS)
        indexed = min(indexed + indexes * STEP, written)
        if now >= commit:
            seen, commit = int(indexed), commit + COMMIT
        if now >= look:
            pace.look(now, seen, written - seen)
            look += LOOK
    return (written - indexed) / indexes, written


@pytest.mark.parametrize(
    ("stores", "indexes"), [(5000, 2000), (5000, 1250), (2200, 570), (5000, 4000), (5000, 400)]
)
def test_an_import_ends_with_little_left_to_index(stores: float, indexes: float) -> None:
    """However long it was; and the index hardly ever waits for rows."""
    for seconds in (90, 600):
        left, rows = imported(stores, indexes, seconds)
        assert left <= 2 * CLOSE
        assert rows >= 0.97 * indexes * seconds


@pytest.mark.parametrize(("stores", "indexes"), [(5000, 1250), (2200, 570), (8000, 1000)])
def test_a_short_import_ends_with_little_left_to_index(stores: float, indexes: float) -> None:
    """Also before the first commit of the index tells how fast it is."""
    assert max(imported(stores, indexes, seconds)[0] for seconds in range(1, 31)) <= 3 * CLOSE


def test_an_index_that_keeps_up_costs_nothing() -> None:
    """As many rows go out as without a pace."""
    assert imported(2000, 2400, 60)[1] == pytest.approx(2000 * 60, rel=0.05)


def test_an_index_that_stands_still_is_not_waited_for() -> None:
    """Being built, or not kept at all: rows go to PostgreSQL all the same."""
    pace = Pace()
    pace.look(-FIRST, 0, 50_000)
    assert pace.pause(ROWS) == SLOWEST * ROWS / GUESS
    pace.look(0, 0, 50_000)
    assert pace.pause(ROWS) == 0
    pace = Pace()
    pace.look(0, 0, 50_000)
    pace.look(1, 1_000, 50_000)
    assert pace.pause(ROWS) == SLOWEST * ROWS / 1_000
    pace.look(LOST, 1_000, 50_000)
    assert pace.pause(ROWS) > 0
    pace.look(LOST + 1, 1_000, 50_000)
    assert pace.pause(ROWS) == 0


class Worker:
    """A client whose questions have these answers, then none."""

    def __init__(self, *answers: Callable[[], bytes]) -> None:
        self._answers = list(answers)

    async def call(self, message: Any, **_: Any) -> bytes:
        """The next answer."""
        if not self._answers:
            raise asyncio.CancelledError
        return self._answers.pop(0)()


def at(place: int, behind: int) -> Callable[[], bytes]:
    """An answer of an index that is there."""
    status = IndexStatus(
        generation=1,
        position=f"e.1.{place}",
        documents=1,
        folder="f",
        language="english",
        damage=None,
        behind=behind,
        behind_seconds=1,
    )
    return lambda: status.model_dump_json().encode()


def nobody() -> bytes:
    """No index to ask."""
    raise IndexUnavailable


def test_the_pace_is_that_of_the_index_that_workers_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look sets it anew, and tells how far it is; where nobody knows, nothing waits."""
    monkeypatch.setattr(module, "LOOK", 0.001)
    pace, waits, told = Pace(), list[bool](), list[int]()

    def noted(answer: Callable[[], bytes]) -> Callable[[], bytes]:
        def answering() -> bytes:
            waits.append(pace.pause(ROWS) > 0)
            return answer()

        return answering

    far = 1_000_000_000
    answers = [at(0, far), at(10, far), nobody, at(20, far), at(30, 0), nobody]
    with pytest.raises(asyncio.CancelledError):
        worker = Worker(*map(noted, answers))
        asyncio.run(keep(worker, pace, told.append))  # type: ignore[arg-type]
    assert told == [far, far, far, 0]
    assert waits == [False, True, True, False, True, False]
