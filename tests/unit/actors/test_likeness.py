"""Texts that are alike are found as if each had been compared with each."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from actors.likeness import alike
from storage.index.similar import shingles, similarity

words = st.lists(st.sampled_from(["step", "abend", "job", "data", "open"]), max_size=12)
texts = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), words.map(" ".join), max_size=8)


@given(texts, st.floats(0.05, 1))
def test_no_pair_is_missed(texts: dict[str, str], least: float) -> None:
    """What is passed over is less alike than was asked for."""
    sets = {name: shingles(text) for name, text in texts.items()}
    pairs = {(one, two): similarity(sets[one], sets[two]) for one, two in combinations(texts, 2)}
    expected = {pair: shared for pair, shared in pairs.items() if shared >= least}
    assert {(one, two): shared for one, two, shared in alike(texts, least)} == expected
