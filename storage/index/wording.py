"""Ranks the entries first that say it in the query's own words: as written, and side by side."""

import heapq
import math
from collections.abc import Iterator
from itertools import pairwise

import tantivy

from storage.index.schema import ORDERED, schema
from storage.index.text import telling_words, tells, written_words
from storage.index.weights import SIDE_BY_SIDE, WRITTEN

WORDS_MAX = 64  # of a longer text the order and the endings tell nothing
PAIRS_MAX = 5  # the rarest: a pair of frequent words costs most and tells least

Query = tantivy.Query


def as_written(searcher: tantivy.Searcher, text: str) -> Iterator[tuple[str, tantivy.Query]]:
    """Each word, and a clause that adds to the score of entries that hold it in this very form."""
    words = dict.fromkeys(word for word in written_words(text) if tells(word))
    if len(words) > WORDS_MAX:
        return
    for word in words:
        if often := searcher.doc_freq("words", word):
            points = WRITTEN * rarity(often, searcher.num_docs)
            found = Query.term_query(schema(), "words", word)
            yield word, Query.const_score_query(found, points)


def side_by_side(
    searcher: tantivy.Searcher, text: str
) -> Iterator[tuple[tuple[str, str], tantivy.Query]]:
    """Each of the rarest pairs of neighbours in a text without its stop words, and its clause."""
    stems = telling_words().analyze(text)
    if len(stems) > WORDS_MAX:
        return
    often = {stem: searcher.doc_freq("text", stem) for stem in stems}
    pairs = {pair for pair in pairwise(stems) if pair[0] != pair[1] and all(map(often.get, pair))}
    for one, other in heapq.nsmallest(PAIRS_MAX, pairs, lambda p: (often[p[0]] * often[p[1]], p)):
        together = [
            (tantivy.Occur.Should, Query.phrase_query(schema(), field, [one, other]))
            for field in ORDERED
        ]
        yield (one, other), Query.boost_query(Query.boolean_query(together), SIDE_BY_SIDE)


def rarity(often: int, documents: int) -> float:
    """The points of a word that so many documents hold: BM25's idf."""
    return math.log(1 + (documents - often + 0.5) / (often + 0.5))
