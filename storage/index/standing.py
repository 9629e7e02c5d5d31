"""In which of an entry's texts something stands, and how often.

Words are scored in one field that holds title, problem, solution and tags in their weights: what
a word adds to a score is split between the texts that it stands in by those weights.
"""

from collections import Counter
from functools import cached_property
from itertools import chain
from typing import Any

import tantivy

from storage.index.grammar import Fuzzy, Pattern
from storage.index.highlight import seen
from storage.index.marking import is_among
from storage.index.stored import card, shown
from storage.index.text import stems
from storage.index.weights import PROBLEM_WEIGHT, SOLUTION_WEIGHT, TAGS_WEIGHT, TITLE_WEIGHT

_WEIGHTS = {
    "title": TITLE_WEIGHT,
    "problem": PROBLEM_WEIGHT,
    "solution": SOLUTION_WEIGHT,
    "tags": TAGS_WEIGHT,
}


class Texts:
    """An entry's texts by field, and which of them hold what."""

    def __init__(self, document: tantivy.Document) -> None:
        self._texts = {name: [shown(document, name)] for name in ("title", "problem", "solution")}
        self._texts["tags"] = card(document)["tags"]
        self._stems = {
            field: [stems(text).split() for text in texts] for field, texts in self._texts.items()
        }
        self._counts = {
            field: Counter(chain.from_iterable(texts)) for field, texts in self._stems.items()
        }
        self._known: dict[tuple[Any, ...], dict[str, float]] = {}

    def shares(self, words: tuple[str, ...], *, prefix: bool = False) -> dict[str, float]:
        """Which part of a score each field has, by how often the words stand in it together."""
        return self.shares_of_any((words,), prefix=prefix)

    def shares_of_any(
        self, ways: tuple[tuple[str, ...], ...], *, prefix: bool = False
    ) -> dict[str, float]:
        """The same for words that can be said in several ways."""
        if (ways, prefix) not in self._known:
            self._known[ways, prefix] = self._shares(ways, prefix)
        return self._known[ways, prefix]

    def _shares(self, ways: tuple[tuple[str, ...], ...], prefix: bool) -> dict[str, float]:
        counts = {
            field: weight * sum(self._times(field, words, prefix) for words in ways)
            for field, weight in _WEIGHTS.items()
        }
        total = sum(counts.values())
        # A word beyond what is kept of a long text stands in none of them.
        return {field: n / total for field, n in counts.items() if n} or {"text": 1.0}

    def _times(self, field: str, words: tuple[str, ...], prefix: bool) -> int:
        if len(words) == 1 and not prefix:
            return self._counts[field][words[0]]
        return sum(_times(words, text, prefix) for text in self._stems[field])

    def first_with(self, node: Pattern | Fuzzy) -> str:
        """The first field that holds a word or code like `node`, or the one it is of."""
        if node.field in self._texts:
            return node.field
        return next(
            (name for name, words in self._written.items() if is_among(node, words)), "text"
        )

    @cached_property
    def _written(self) -> dict[str, list[str]]:
        """The words and codes of each field, in order."""
        return {name: sorted(seen(" ".join(texts))) for name, texts in self._texts.items()}


def _times(words: tuple[str, ...], text: list[str], prefix: bool) -> int:
    """How often the words stand in the text next to each other; a word alone is a beginning."""
    *before, last = words
    size = len(words)
    if not before:
        return sum(word.startswith(last) for word in text)
    starts = (at for at, word in enumerate(text) if word == words[0]) if words[0] in text else ()
    return sum(
        text[at : at + size - 1] == before
        and (text[at + size - 1] == last or (prefix and text[at + size - 1].startswith(last)))
        for at in starts
        if at + size <= len(text)
    )
