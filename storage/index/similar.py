"""How alike two texts are, and which entries of the index may be alike.

The index gives a few candidates by the rarest words of a text; the pairs of neighbouring words of
both texts, compared exactly, decide.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import tantivy

from storage.index.schema import ENTRY, schema
from storage.index.stored import card, shown
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
    """The ids of at most `most` entries that share the rarest words of `text`, the best first."""
    return [str(card(document)["id"]) for _, document in _sharing(searcher, text, most)]


def like(
    searcher: tantivy.Searcher, text: str, limit: int, but: str | None = None
) -> list[dict[str, Any]]:
    """LikeEntry objects for entries that are like `text`, without the entry `but`."""
    own, found = shingles(text), []
    for score, document in _sharing(searcher, text, limit + 1):
        kept = card(document)
        if kept["id"] == but:
            continue
        shared = similarity(own, shingles(_text(document)))
        found.append(
            {
                "id": kept["id"],
                "title": shown(document, "title"),
                "category": kept["category"],
                "score": round(score, 4),
                "similarity": round(shared, 4),
            }
        )
    return found[:limit]


def text_of(searcher: tantivy.Searcher, entry_id: str) -> str | None:
    """Title, problem and solution of an entry, as far as they are shown; None if it is gone."""
    found = searcher.search(tantivy.Query.term_query(schema(), "id", entry_id), 1).hits
    if not found:
        return None
    document = searcher.doc(found[0][1])
    return _text(document)


def _text(document: tantivy.Document) -> str:
    return "\n".join(shown(document, name) for name in ("title", "problem", "solution"))


def _sharing(
    searcher: tantivy.Searcher, text: str, most: int
) -> Iterator[tuple[float, tantivy.Document]]:
    """Score and document of the entries that share the rarest words of `text`.

    Words that one entry alone has are passed over: that is the one whose text this is.
    """
    counted = ((searcher.doc_freq("text", word), word) for word in set(stems(clean(text)).split()))
    rarest = sorted((count, word) for count, word in counted if count > 1)[:RAREST]
    if not rarest:
        return
    fields, should = schema(), tantivy.Occur.Should
    words = [(should, tantivy.Query.term_query(fields, "text", word)) for _, word in rarest]
    wanted = [
        (tantivy.Occur.Must, tantivy.Query.term_query(fields, "kind", ENTRY)),
        (tantivy.Occur.Must, tantivy.Query.boolean_query(words)),
    ]
    found = searcher.search(tantivy.Query.boolean_query(wanted), most, count=False)
    for score, address in found.hits:
        yield score, searcher.doc(address)
