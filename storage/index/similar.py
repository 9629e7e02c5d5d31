"""How alike two texts are, and which entries of the index may be alike.

The index gives a few candidates by the rarest words of a text; the pairs of neighbouring words of
both texts, compared exactly, decide.
"""

from itertools import pairwise

import orjson
import tantivy

from storage.index.schema import ENTRY, schema
from storage.index.text import clean, stems

RAREST = 16  # words of a text that candidates are found by
Shingles = frozenset[tuple[str, ...]]


def shingles(text: str) -> Shingles:
    """The pairs of neighbouring words, as stems; of a text of one word, that word."""
    words = stems(clean(text)).split()
    return frozenset(pairwise(words)) if len(words) > 1 else frozenset((word,) for word in words)


def similarity(one: Shingles, other: Shingles) -> float:
    """How much of both they share, 0 to 1 (Jaccard)."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def candidates(searcher: tantivy.Searcher, text: str, most: int) -> list[str]:
    """The ids of at most `most` entries that share the rarest words of `text`, the best first.

    Words that one entry alone has are passed over: that is the one whose text this is.
    """
    counted = ((searcher.doc_freq("text", word), word) for word in set(stems(clean(text)).split()))
    rarest = sorted((count, word) for count, word in counted if count > 1)[:RAREST]
    if not rarest:
        return []
    fields, should = schema(), tantivy.Occur.Should
    words = [(should, tantivy.Query.term_query(fields, "text", word)) for _, word in rarest]
    wanted = [
        (tantivy.Occur.Must, tantivy.Query.term_query(fields, "kind", ENTRY)),
        (tantivy.Occur.Must, tantivy.Query.boolean_query(words)),
    ]
    found = searcher.search(tantivy.Query.boolean_query(wanted), most, count=False)
    cards = (searcher.doc(address).get_first("card") or b"" for _, address in found.hits)
    return [str(orjson.loads(card)["id"]) for card in cards]
