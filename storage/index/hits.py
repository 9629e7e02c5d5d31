"""Hits as JSON objects: the stored card, with what depends on the search added to it."""

from collections.abc import Iterator

import orjson
import tantivy

from storage.index.build import code_score
from storage.index.grammar import (
    Alike,
    Fuzzy,
    Pattern,
    Phrase,
    Synonyms,
    Understood,
    Words,
    leaves,
)
from storage.index.highlight import Highlighter
from storage.index.text import stem
from storage.index.weights import PIN_SCORE

Found = tuple[float, tantivy.DocAddress]


class Hits:
    """Shows what one search found."""

    def __init__(self, searcher: tantivy.Searcher, asked: Understood, highlight: bool) -> None:
        self._searcher = searcher
        self._asked = asked
        self._code_score = code_score(asked)
        wanted = highlight and not asked.everything
        self._highlighter = Highlighter(_searched(asked)) if wanted else None

    def one(self, score: float, address: tantivy.DocAddress) -> orjson.Fragment:
        """A SearchHit."""
        document = self._searcher.doc(address)
        card: bytes = document.get_first("card") or b""
        matched = "words"
        if score >= PIN_SCORE:
            matched = "pinned"
        elif self._asked.everything:
            matched = "all"
        elif self._asked.codes and score >= self._code_score:
            matched = "code"
        added = {"score": round(score, 4), "matched": matched}
        if self._highlighter:
            added["highlights"] = dict(_pieces(document, card, self._highlighter))
        return orjson.Fragment(card[:-1] + b"," + orjson.dumps(added)[1:])


def _searched(asked: Understood) -> Iterator[str]:
    """The stems that were looked for."""
    for leaf in leaves(asked.root):
        if isinstance(leaf, Words):
            yield from (word for word, _ in leaf.stems)
        elif isinstance(leaf, Phrase | Alike):
            yield from leaf.stems
        elif isinstance(leaf, Synonyms):
            yield from (word for words in leaf.others for word in words)
        elif isinstance(leaf, Pattern | Fuzzy):
            yield stem(leaf.text)
    for code in asked.codes:
        yield from code.strip("+-").split("-")


def _pieces(
    document: tantivy.Document, card: bytes, highlighter: Highlighter
) -> Iterator[tuple[str, str]]:
    texts = (
        ("title", orjson.loads(card)["title"]),
        ("problem", (document.get_first("problem_shown") or b"").decode()),
        ("solution", (document.get_first("solution_shown") or b"").decode()),
    )
    for field, text in texts:
        if piece := highlighter.piece(text):
            yield field, piece
