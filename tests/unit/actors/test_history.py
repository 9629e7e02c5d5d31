"""What a failure tells, how much of it is kept, and what a dead letter always says."""

import time
from typing import Any

import orjson
import pytest

from actors.broker.delivery import Dead, Delivery, Done, Outcome, Reason, Release, Retry
from actors.broker.encoding import BOOKKEEPING, MESSAGE_MAX, ContractEncoder
from actors.broker.ending import Ended, ended
from actors.broker.history import HISTORY, SAID, TRACED, attempt, attempts, fitting, remembered
from tests.unit.actors.test_retries import delivery_of

MOST = MESSAGE_MAX + BOOKKEEPING


class _Mute(Exception):
    """An error whose own text is broken."""

    def __str__(self) -> str:
        raise RuntimeError("a bug in the bug")


def _caught(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def _end(delivery: Delivery, outcome: Outcome | None) -> Ended:
    delivery.outcome = outcome
    return ended(delivery, now_ms=5000.7)


def _options(end: Ended) -> dict[str, Any]:
    options: dict[str, Any] = orjson.loads(end.body)["options"]
    return options


def _long(count: int) -> list[dict[str, Any]]:
    return [
        {"at": n, "message": "m" * SAID, "traceback": "t" * TRACED} for n in range(1, count + 1)
    ]


def test_a_record_says_what_happened() -> None:
    """When, where, how long, which class, what it said and the end of its traceback."""
    delivery = delivery_of()
    delivery.began = time.monotonic() - 0.25
    record = attempt(delivery, _caught(ValueError("x" * 5000)))
    assert record.pop("traceback").strip() == "x" * (TRACED - 1)
    assert record.pop("ms") >= 250
    assert record == {
        "at": 1000,
        "worker": "host-1",
        "error": "builtins.ValueError",
        "message": "x" * SAID,
    }


@pytest.mark.parametrize("error", [_Mute(), ValueError("a file \udcff"), ValueError("\ud83d")])
def test_any_error_can_be_recorded(error: Exception) -> None:
    """Text that is broken, or that UTF-8 can't hold, is recorded in a form that travels."""
    record = attempt(delivery_of(), _caught(error))
    assert orjson.loads(orjson.dumps(record)) == record
    assert record["message"]


def test_the_first_and_the_newest_are_remembered() -> None:
    """Beyond the limit, the second oldest goes."""
    kept = [{"at": n} for n in range(HISTORY + 7)]
    assert [one["at"] for one in remembered(kept)] == [0, *range(8, HISTORY + 7)]
    assert remembered(kept[:HISTORY]) == kept[:HISTORY]


def test_what_tells_least_goes_first() -> None:
    """Middle tracebacks, middle records, the other tracebacks, the first, and at last all."""
    kept = _long(4)
    sizes = [100_000, 14_500, 10_500, 2_500, 1_500, 100]
    shapes = [[(r["at"], bool(r["traceback"])) for r in fitting(kept, size)] for size in sizes]
    assert shapes == [
        [(1, True), (2, True), (3, True), (4, True)],
        [(1, True), (2, False), (3, False), (4, True)],
        [(1, True), (4, True)],
        [(1, False), (4, False)],
        [(4, False)],
        [],
    ]
    assert [r["at"] for r in fitting(kept[:1], 1_500)] == [1]
    assert fitting([], -1) == []


@pytest.mark.parametrize("spare", [0, 1, 5_000, 200_000])
def test_history_never_makes_a_message_too_long(spare: int) -> None:
    """The longest message there may be is retried whole, with as much history as it can carry."""
    encoder = ContractEncoder()
    delivery = delivery_of(retries=29, attempts=_long(HISTORY))
    bare = len(encoder.encode(delivery._message.copy(args=("",)).asdict() | {"options": {}}))
    args = ("x" * (MESSAGE_MAX - bare - spare),)
    delivery._message = delivery._message.copy(args=args)
    end = _end(delivery, Retry(10, {"retries": 30, "attempts": remembered(_long(HISTORY + 1))}))
    assert len(end.body) <= MOST
    told = orjson.loads(end.body)
    assert told["args"] == list(args)
    options = told["options"]
    assert (options["retries"], options["deliveries"]) == (30, 1)
    assert [options["attempts"][place]["at"] for place in (0, -1)] == [1, HISTORY + 1]
    assert (len(options["attempts"]) == HISTORY) is (spare == 200_000)


def test_deliveries_are_counted_whatever_they_end_with() -> None:
    """A retry, a snooze and no outcome each raise `deliveries`; those that ended a worker too."""
    for outcome in (Retry(1, {"retries": 1}), Retry(1, {"snoozes": 1}), None):
        assert _options(_end(delivery_of(deliveries=4), outcome))["deliveries"] == 5
    delivery = delivery_of()
    delivery.died_under = ("a", "b")
    assert _options(_end(delivery, Retry(1, {})))["deliveries"] == 3


def test_an_option_can_be_removed() -> None:
    """None removes an option; every other one stays."""
    end = _end(delivery_of(snoozes=3, colour="green"), Retry(1, {"snoozes": None}))
    assert _options(end) == {"colour": "green", "deliveries": 1}


@pytest.mark.parametrize("reason", list(Reason))
def test_a_dead_letter_always_says(reason: Reason) -> None:
    """Attempts, deliveries, who decided and when are in every report."""
    delivery = delivery_of(deliveries=2, attempts=[{"at": 7}])
    end = _end(delivery, Dead(reason, {"more": "text"}))
    word, _, report = bytes(end.argument).partition(b" ")  # type: ignore[arg-type]  # it is bytes
    assert (word.decode(), end.body) == (reason, delivery.body)
    assert orjson.loads(report) == {
        "attempts": [{"at": 7}],
        "more": "text",
        "deliveries": 3,
        "worker": "host-1",
        "at": 5000,
    }


def test_what_leaves_or_goes_back_carries_nothing() -> None:
    """A body travels only where it has changed or is kept elsewhere."""
    assert _end(delivery_of(), Done()).body == b""
    assert _end(delivery_of(), Release()).body == b""


def test_foreign_history_is_read_with_care() -> None:
    """What is no list of records is none."""
    assert attempts({"attempts": [{"at": 1}, "x", None]}) == [{"at": 1}]
    assert attempts({"attempts": "x"}) == attempts({}) == []
