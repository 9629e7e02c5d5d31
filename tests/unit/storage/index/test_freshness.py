"""What counts as touched, and which answers hold."""

from pathlib import Path

import pytest

from contracts.position import Position
from storage.index import published
from storage.index.elsewhere import Told, furthest, pack, unpack
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


def node(number: int, touched: Touched, *, built: float, epoch: str = "e", said: int = 0) -> Told:
    """What a node has said: how far it is."""
    where = Published("v", 1, at(number, epoch), SCHEMA_VERSION, 5, "english", touched)
    return Told(said, Fresh.of(where._replace(touched=touched._replace(built=built))))


def test_several_nodes_are_as_far_as_the_furthest() -> None:
    """Of a node that is as far, its own word counts for its own answers; of one that is behind,
    only what is as new as everything."""
    db2 = BEGUN.by(at(9), {"db2"})
    nodes = [node(9, db2, built=1.0), node(9, db2, built=2.0), node(8, BEGUN, built=3.0)]
    now = furthest(nodes)
    assert now is not None
    assert (now.position, now.since(("DB2",)), now.since(("VSAM",))) == (at(9), at(9), at(1))
    made = [one.fresh.edition for one in nodes]
    narrow = [now.valid(str(at(8)), edition, ("VSAM",), asked=BUILT) for edition in made]
    assert narrow == [True, True, False]
    assert now.valid(str(at(9)), made[2], ("VSAM",), asked=BUILT)
    assert furthest([]) is None


def test_who_spoke_last_tells_the_history() -> None:
    """A node that is gone, and was further in a history that a restore has ended, is nobody."""
    gone = node(99, Touched.everything(at(99, "old")), built=1.0, epoch="old", said=1)
    now = furthest([gone, node(5, BEGUN, built=2.0, said=2)])
    assert now is not None
    assert now.position == at(5)


def test_somebody_is_further_than_what_was_published() -> None:
    """Then nothing is known of what was touched on the way; another history says nothing."""
    now = fresh(BEGUN.by(at(5), {"db2"}))
    seen = now.at_least(at(12))
    assert (seen.position, seen.since(("VSAM",))) == (at(12), at(12))
    assert holds(now, 9, "VSAM")
    assert not holds(seen, 9, "VSAM")
    assert holds(seen, 12, "VSAM")
    assert now.at_least(at(3)) is now
    assert now.at_least(at(12, "other")) is now


def test_what_is_told_comes_back(tmp_path: Path) -> None:
    """As bytes and back; what is damaged, or of another release, is nothing."""
    assert pack(tmp_path, 7) is None
    where = Published("v", 1, at(9), SCHEMA_VERSION, 5, "english", BEGUN.by(at(5), {"db2"}))
    published.write(tmp_path, where)
    said = pack(tmp_path, 7)
    assert said is not None
    assert unpack(said) == Told(7, Fresh.of(where))
    for broken in (b"", b"{}", b"[1]", said[:-1], said.replace(b"schema_version", b"x")):
        assert unpack(broken) is None
