"""The error log of a process: grouped, bounded, told again where it could not be told."""

import pytest

from actors.failures import MOST, FailureLog, category
from contracts.errors import (
    CasebookError,
    DatabaseUnavailable,
    DuplicateEntry,
    IndexBehind,
    NotFinished,
    QueueFull,
    QueueUnavailable,
)
from contracts.failures import Category, RecordFailures
from contracts.operation import enter
from tests.support.failures import seen


def raised(error: Exception, function: str = "fail") -> Exception:
    """`error` with the traceback of a function of this name."""
    names = {"error": error}
    exec(f"def {function}(): raise error", names)
    try:
        names[function]()  # type: ignore[operator]  # the function made above
    except Exception as found:
        return found
    raise AssertionError


def test_the_same_error_at_the_same_place_is_one_group() -> None:
    """Its text may differ: the newest is the sample. Another place or class is another group."""
    batches: list[RecordFailures] = []
    failures = FailureLog(batches.append)
    enter("op")
    for error in (
        raised(ValueError("of entry 1")),
        raised(ValueError("of entry 2")),
        raised(KeyError("of entry 3")),
        raised(ValueError("elsewhere"), "other"),
    ):
        failures.note(error, "tests.work")
    enter("")
    failures.flush()
    failures.flush()
    ((first, *rest),) = [batch.seen for batch in batches]
    assert (first.count, first.message, first.operation_id) == (2, "of entry 2", "op")
    assert first.place.endswith(":fail") and "ValueError: of entry 2" in first.traceback
    assert [one.count for one in rest] == [1, 1]
    assert len({first.fingerprint, *(one.fingerprint for one in rest)}) == 3


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError(), "unexpected"),
        (CasebookError(), "unexpected"),
        (ConnectionResetError(), "network"),
        (MemoryError(), "resource"),
        (DatabaseUnavailable(), "system"),
        (QueueFull(), "resource"),
        (DuplicateEntry(), None),
        (IndexBehind(), None),
        (NotFinished(), None),
        (KeyboardInterrupt(), None),
    ],
)
def test_what_a_caller_did_wrong_is_no_failure(error: BaseException, kind: Category | None) -> None:
    """Answers and turns that go on are not looked into; the rest is sorted."""
    assert category(error) == kind


def test_what_can_not_be_told_is_told_later() -> None:
    """Added up with what came meanwhile; nothing is counted twice."""
    batches: list[RecordFailures] = []
    away = True

    def send(batch: RecordFailures) -> None:
        if away:
            raise QueueUnavailable()
        batches.append(batch)

    failures = FailureLog(send)
    failures.note(raised(ValueError("one")), "a")
    failures.flush()
    failures.note(raised(ValueError("two")), "a")
    failures.flush()
    away = False
    failures.flush()
    ((only,),) = [batch.seen for batch in batches]
    assert (only.count, only.message) == (2, "two")


def test_a_flood_of_distinct_errors_is_bounded() -> None:
    """Those beyond MOST groups are counted, not kept."""
    failures = FailureLog(lambda batch: None)
    for number in range(MOST + 5):
        failures.note(raised(ValueError(), f"f{number}"), "a")
    assert failures.dropped == 5


def test_texts_that_can_not_be_stored_are_shown() -> None:
    """Lone surrogates and NUL, and a text whose making fails."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert seen(ValueError("a\ud800b\0")).message == "a\\ud800b\N{SYMBOL FOR NULL}"
    assert seen(Broken()).message == "(its text can't be read)"
