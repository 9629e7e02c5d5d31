"""Positions in the change feed."""

import pytest

from contracts.position import Position


def test_a_position_is_read_back() -> None:
    """What str() writes, parse() reads."""
    position = Position("6b01-1-0", 12345678901, 42)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.1", "a.1.2.3", ".1.2", "a.x.2"])
def test_anything_else_is_no_position(text: str) -> None:
    """ValueError, not a wrong place."""
    with pytest.raises(ValueError):
        Position.parse(text)


def test_reaching_is_by_transaction_then_sequence_within_one_epoch() -> None:
    """A later transaction reaches an earlier one whatever their sequence numbers."""
    here = Position("e", 10, 5)
    assert here.reaches(here)
    assert here.reaches(Position("e", 9, 99))
    assert not here.reaches(Position("e", 10, 6))
    assert not here.reaches(Position("f", 1, 1))
