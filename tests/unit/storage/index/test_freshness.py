"""What counts as touched, and which answers hold."""

import pytest

from contracts.position import Position
from storage.index.freshness import Fresh
from storage.index.published import Published
from storage.index.schema import SCHEMA_VERSION
from storage.index.touched import CATEGORIES_MAX, Touched

BUILT = 1000.0


def at(number: int, epoch: str = "e") -> Position:
    """A position; later for larger numbers."""
    return Position(epoch, number, number)


def fresh(touched: Touched | None, number: int = 9, tuning: int = 0) -> Fresh:
    """What is published at a position."""
    where = Published("v", 1, at(number), SCHEMA_VERSION, 5, "english", touched)
    return Fresh.of(where, tuning)


def holds(now: Fresh, number: int, *categories: str, asked: float = BUILT + 1) -> bool:
    """Whether an answer of this very index holds."""
    return now.valid(str(at(number)), now.edition, categories, asked=asked)


BEGUN = Touched.everything(at(1), BUILT)


def test_a_category_is_touched_alone() -> None:
    """An answer narrowed to another category holds over a commit, any other does not."""
    now = fresh(BEGUN.by(at(5), {"db2", "mainframe"}))
    assert holds(now, 1, "VSAM")
    assert holds(now, 5, "DB2")
    assert not holds(now, 4, "DB2")
    assert not holds(now, 4, "VSAM", "Mainframe")
    assert not holds(now, 4)
    assert holds(now, 5)


def test_nothing_from_before_the_build_holds() -> None:
    """What is not named was touched when the index was built, and a damaged one is not believed."""
    now = fresh(BEGUN.by(at(5), {"db2"}))
    assert not holds(now, 0, "VSAM")
    assert not holds(now, 5, "VSAM", asked=BUILT - 1)


def test_another_history_or_edition_never_holds() -> None:
    """Epoch, layout, language and tuning are the same, or the answer is none."""
    now = fresh(BEGUN, tuning=3)
    assert not now.valid(str(at(9, "other")), now.edition, asked=BUILT + 1)
    assert not now.valid(str(at(9)), fresh(BEGUN, tuning=2).edition, asked=BUILT + 1)
    assert now.valid(str(at(9)), fresh(BEGUN, tuning=3).edition, asked=BUILT + 1)


@pytest.mark.parametrize("text", ["", "e", "e.1", "e.x.1", ".1.1"])
def test_what_is_no_position_never_holds(text: str) -> None:
    """A damaged answer is none."""
    assert not fresh(BEGUN).valid(text, fresh(BEGUN).edition, asked=BUILT + 1)


def test_an_answer_of_another_index_must_be_as_new_as_everything() -> None:
    """Two indexes at one position may differ by what was being written: only newer ones will do."""
    now, other = fresh(BEGUN.by(at(5), {"db2"})), fresh(BEGUN._replace(built=BUILT + 7))
    assert not now.valid(str(at(4)), other.edition, ("VSAM",), asked=BUILT + 9)
    assert now.valid(str(at(5)), other.edition, ("VSAM",), asked=BUILT + 9)


def test_another_release_has_published() -> None:
    """Where nothing is said of categories, every commit touches all of them."""
    assert not holds(fresh(None), 8, "VSAM")
    assert holds(fresh(None), 9, "VSAM")


def test_it_is_bounded() -> None:
    """The categories touched longest ago become the rest, which is never told as older."""
    touched = BEGUN
    for number in range(2, CATEGORIES_MAX + 12):
        touched = touched.by(at(number), {f"c{number}"})
    assert len(touched.categories) == CATEGORIES_MAX
    assert touched.rest == at(11)
    now = fresh(touched)
    assert holds(now, CATEGORIES_MAX + 11, "c11")
    assert holds(now, 11, "c11")
    assert not holds(now, 10, "c2")
    assert not holds(now, 11, "c12")


def test_too_many_at_once_are_all() -> None:
    """A commit that touched nobody knows what touched everything."""
    assert not holds(fresh(BEGUN.by(at(5), None)), 4, "VSAM")


def test_it_comes_back_as_it_was_written() -> None:
    """JSON and back; what is damaged is nothing."""
    touched = BEGUN.by(at(2**63 + 1), {"db2", "é"})
    kept = touched.as_json()
    assert Touched.read(kept) == touched
    for broken in (None, [], {}, kept | {"rest": "x"}, kept | {"categories": {"a": [1]}}):
        assert Touched.read(broken) is None
