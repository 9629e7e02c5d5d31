"""What each boost of the ranking is worth by itself."""

import pytest

from contracts.search import SearchQuery
from storage.index.ranking import likeness, popularity, recency, success_rate
from storage.index.weights import BOOSTS_MAX, HALF_LIFE, PROFILES, USED_OFTEN


@pytest.mark.parametrize(
    ("asked", "title", "expected"),
    [
        ("a b", "a b", 1.0),
        ("a b", "a b c d", 0.5),
        ("a b c d", "a b", 0.5),
        ("a b", "b c", 0.25),
        ("a", "b", 0.0),
        ("a", "", 0.0),
        ("", "a", 0.0),
    ],
)
def test_likeness_of_a_title(asked: str, title: str, expected: float) -> None:
    """Words on either side that the other does not have make a title less like the query."""
    assert likeness(frozenset(asked.split()), frozenset(title.split())) == pytest.approx(expected)


def test_popularity() -> None:
    """Each tenfold use adds about as much, up to USED_OFTEN."""
    assert popularity(0) == popularity(-1) == 0.0
    assert popularity(9) == pytest.approx(1 / 3, abs=0.001)
    assert popularity(USED_OFTEN) == popularity(USED_OFTEN * 9) == 1.0


def test_success_rate() -> None:
    """Without a report it is in the middle, and few reports move it less than many."""
    assert success_rate(0, 0) == 0.5
    assert success_rate(1, 0) == pytest.approx(2 / 3)
    assert success_rate(0, 1) == pytest.approx(1 / 3)
    assert success_rate(90, 10) < success_rate(900, 10) < 1.0


def test_recency() -> None:
    """It halves with every half-life; a clock that is behind makes nothing newer than new."""
    assert recency(0) == recency(-5) == 1.0
    assert recency(int(HALF_LIFE)) == 0.5
    assert recency(int(2 * HALF_LIFE)) == 0.25


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_fit_their_bound(name: str) -> None:
    """A search can ask for each, and none lifts a score over what is reckoned with."""
    profile = PROFILES[SearchQuery(profile=name).profile]  # type: ignore[arg-type]
    parts = (profile.title, profile.usage, profile.success, profile.recency)
    assert min(parts) >= 0.0
    assert 1 + sum(parts) <= BOOSTS_MAX
