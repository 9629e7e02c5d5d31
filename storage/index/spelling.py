"""Words of the index that a misspelt one may have meant.

How many letters may differ follows the length, as in other engines: none below five letters, one
below nine, two from there on (a transposition is one). Words with a digit are codes or names, and
never guessed at. The first letter is taken as right: people seldom miss it, and it keeps the
vocabulary to be read small. Words are compared as they are written: stems would hide mistakes in
endings, and a misspelt word may look like one with an ending.
"""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import tantivy
from rapidfuzz import process
from rapidfuzz.distance import OSA

from storage.index.published import Stamp
from storage.index.text import every_word, stem

LENGTH_MIN, LENGTH_TWO = 5, 9  # letters from which on one and two may differ
VOCABULARY_MAX = 10_000  # words a first letter: the most frequent
FRESH = 60.0  # seconds that a vocabulary is used, though there are later commits
NEAR_MAX = 3  # words that one misspelt word stands for


def may_differ(word: str) -> int:
    """How many letters of `word` may be wrong."""
    if len(word) < LENGTH_MIN or not word.isalpha():
        return 0
    return 1 if len(word) < LENGTH_TWO else 2


class _Known(NamedTuple):
    """Words that begin with one letter, their stems, and of each stem the most frequent word; the
    most frequent first. And of which commit they were read, and when."""

    words: Sequence[str]
    stems: Sequence[str]
    of_stems: Sequence[str]
    commit: Stamp
    read: float

    def is_fresh(self, commit: Stamp) -> bool:
        """Whether they are of this commit, or of one that is hardly older: some, then."""
        return self.commit == commit or (bool(self.words) and time.monotonic() < self.read + FRESH)


class Vocabulary:
    """The frequent words of the index by their first letter, read anew of a later commit, every
    minute at most. For threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def near(self, searcher: tantivy.Searcher, commit: Stamp, word: str) -> list[str]:
        """The words nearest to `word` but itself, all as they are written in lower case: at most
        NEAR_MAX, of the least distance, the most frequent first.

        Where none is near, those whose stems are: entries may have it with another ending.
        """
        if not may_differ(word):
            return []
        known = self._beginning(searcher, commit, word[0])
        return _nearest(word, known.words, known.words) or _nearest(
            stem(word), known.stems, known.of_stems
        )

    def _beginning(self, searcher: tantivy.Searcher, commit: Stamp, letter: str) -> _Known:
        known = self._known.get(letter)
        if known and known.is_fresh(commit):
            return known
        with self._lock:
            known = self._known.get(letter)
            if not (known and known.is_fresh(commit)):  # another thread may just have read them
                known = self._known[letter] = _read(searcher, commit, letter)
        return known


def _read(searcher: tantivy.Searcher, commit: Stamp, letter: str) -> _Known:
    found = searcher.terms_with_prefix("words", letter, limit=VOCABULARY_MAX)
    words = [word for word, _ in found if len(word) >= LENGTH_MIN - 1 and word.isalpha()]
    first: dict[str, str] = {}
    for stemmed, word in zip(every_word().analyze(" ".join(words)), words, strict=False):
        first.setdefault(stemmed, word)
    return _Known(words, list(first), list(first.values()), commit, time.monotonic())


def _nearest(text: str, known: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names of those of the `known` that are nearest to `text`, if they are near enough."""
    most = may_differ(text)
    if not most:
        return []
    found = process.extract(text, known, scorer=OSA.distance, score_cutoff=most, limit=50)
    least = min((distance for _, distance, _ in found if distance), default=0)
    places = sorted(place for _, distance, place in found if distance == least and distance)
    return [names[place] for place in places[:NEAR_MAX]]
