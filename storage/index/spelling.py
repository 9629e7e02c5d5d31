"""Words of the index that a misspelt one may have meant.

How many letters may differ follows the length, as in other engines: none below five letters, one
below nine, two from there on (a transposition is one). Words with a digit are codes or names, and
never guessed at. The first letter is taken as right: people seldom miss it, and it keeps the
vocabulary to be read small.
"""

import threading
import time
from collections.abc import Sequence

import tantivy
from rapidfuzz import process
from rapidfuzz.distance import OSA

from storage.index.text import stem

LENGTH_MIN, LENGTH_TWO = 5, 9  # letters from which on one and two may differ
VOCABULARY_MAX = 5_000  # stems a first letter: the most frequent
FRESH = 60.0  # seconds that a vocabulary is used
NEAR_MAX = 3  # words that one misspelt word stands for
WORDS_MAX = 200  # words looked at for the spelling of a stem


def may_differ(word: str) -> int:
    """How many letters of `word` may be wrong."""
    if len(word) < LENGTH_MIN or not word.isalpha():
        return 0
    return 1 if len(word) < LENGTH_TWO else 2


class Vocabulary:
    """The frequent stems of the index by their first letter, read every minute. For threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stems: dict[str, tuple[float, Sequence[tuple[str, int]]]] = {}

    def near(self, searcher: tantivy.Searcher, word: str) -> list[str]:
        """The stems nearest to the stem `word`: at most NEAR_MAX, of the least distance, the most
        frequent first."""
        most = may_differ(word)
        if not most:
            return []
        known = self._beginning(searcher, word[0])
        found = process.extract(
            word, [text for text, _ in known], scorer=OSA.distance, score_cutoff=most, limit=50
        )
        least = min((distance for _, distance, _ in found), default=0)
        places = sorted(place for _, distance, place in found if distance == least)
        return [known[place][0] for place in places[:NEAR_MAX]]

    def _beginning(self, searcher: tantivy.Searcher, letter: str) -> Sequence[tuple[str, int]]:
        """Stems that begin with `letter`, with the entries that hold them, most frequent first."""
        read, known = self._stems.get(letter, (0.0, ()))
        if time.monotonic() < read + FRESH and known:
            return known
        with self._lock:
            found = searcher.terms_with_prefix("text", letter, limit=VOCABULARY_MAX)
            known = [(text, count) for text, count in found if text.isalpha()]
            self._stems[letter] = time.monotonic(), known
        return known


def spelt(searcher: tantivy.Searcher, stemmed: str) -> str:
    """The most frequent word of the index with that stem."""
    beginning = stemmed[: max(2, len(stemmed) - 1)]
    for word, _ in searcher.terms_with_prefix("words", beginning, limit=WORDS_MAX):
        if stem(word) == stemmed:
            return str(word)
    return stemmed
