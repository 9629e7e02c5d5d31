"""How many letters two words differ in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.index.nearness import near

WORDS = st.text("abc", max_size=6)


def distance(one: str, other: str) -> int:
    """The textbook's table of optimal string alignment."""
    rows = [[max(i, j) for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            differs = one[i - 1] != other[j - 1]
            costs = [rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + differs]
            if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
                costs.append(rows[i - 2][j - 2] + 1)
            rows[i][j] = min(costs)
    return rows[-1][-1]


@pytest.mark.parametrize(
    ("one", "other", "within"),
    [
        ("abend", "abend", 0),
        ("abend", "aband", 1),
        ("abend", "abnde", 2),
        ("abend", "baend", 1),
        ("abend", "abends", 1),
        ("abend", "bend", 1),
        ("abend", "end", 2),
    ],
)
def test_letters_that_differ(one: str, other: str, within: int) -> None:
    """A letter more, less, changed or swapped with the next is one each."""
    assert near(one, other, within)
    assert not (within and near(one, other, within - 1))


@given(WORDS, WORDS, st.integers(0, 2))
def test_it_agrees_with_the_table(one: str, other: str, within: int) -> None:
    """Whatever the words."""
    assert near(one, other, within) == (distance(one, other) <= within)
