"""How alike two texts are."""

import pytest

from storage.index.similar import shingles, similarity


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("the job failed", "The job, FAILED!", 1.0),
        ("the job failed", "the job fails", 1.0),
        ("a b c d", "c d a b", 0.5),
        ("a b c", "a b d", 1 / 3),
        ("word", "word", 1.0),
        ("word", "other", 0.0),
        ("", "", 0.0),
        ("", "a b", 0.0),
    ],
)
def test_shared_pairs_of_words(one: str, other: str, expected: float) -> None:
    """Case, punctuation and endings make no difference; the order of words does, a little."""
    found = similarity(shingles(one), shingles(other))
    assert found == pytest.approx(expected)
    assert similarity(shingles(other), shingles(one)) == found
