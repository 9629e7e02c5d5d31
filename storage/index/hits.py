"""Hits as JSON objects: what is stored, with what depends on the search added to it."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import tantivy

from contracts.search import SearchQuery
from storage.index.build import Builder
from storage.index.explanation import Explainer
from storage.index.fusion import FusedExplainer, FusedPages
from storage.index.grammar import Understood
from storage.index.marking import Marking
from storage.index.matched import Matched, value
from storage.index.pages import Hit
from storage.index.ranking import Ranking
from storage.index.stored import card, more, shown

#: What a hit shows only to who asks for it.
_TEXTS = ("problem", "solution")
_MORE = ("source", "external_id", "author", "created_at")
_ADDED = ("score", "matched", "highlights")


class Hits:
    """Shows what one search found."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        builder: Builder,
        asked: Understood,
        query: tantivy.Query,
        request: SearchQuery,
        ranking: Ranking,
    ) -> None:
        self._searcher = searcher
        self._ranking = ranking
        self._asked = asked
        self._query = query
        self._fields = request.fields
        self._sorted = request.sort != "relevance"
        self._added = [name for name in _ADDED if not self._fields or name in self._fields]
        if not request.highlight or (asked.everything and not request.q):
            self._added = [name for name in self._added if name != "highlights"]
        self._matched = Matched(searcher, builder, asked)
        self._marking = Marking(asked) if "highlights" in self._added else None
        self._explainer: Explainer | FusedExplainer | None = (
            Explainer(searcher, builder, asked, query, request.q, ranking)
            if request.explain
            else None
        )

    def fuse(self, pages: FusedPages) -> None:
        """Show hits as these pages have put them in order."""
        self._matched.lexical = pages.lexical
        if isinstance(self._explainer, Explainer) and not self._sorted:
            self._explainer = FusedExplainer(self._explainer, pages, pages.sure)

    def all(self, found: Iterable[Hit]) -> list[orjson.Fragment]:
        """SearchHits, in the order of `found`."""
        return [self._one(sort_value, address) for sort_value, address in found]

    def _one(self, sort_value: float, address: tantivy.DocAddress) -> orjson.Fragment:
        document = self._ranking.document(address)
        score = self._score(sort_value, address)
        added = {name: self._value(name, score, address, document) for name in self._added}
        if self._explainer:
            added["explanation"] = self._explainer.one(score, address, document)
        if self._fields:
            return orjson.Fragment(orjson.dumps({**self._chosen(document), **added}))
        kept: bytes = document.get_first("card") or b""
        added = {"title": shown(document, "title"), **added}
        return orjson.Fragment(kept[:-1] + b"," + orjson.dumps(added)[1:])

    def _score(self, sort_value: float, address: tantivy.DocAddress) -> float:
        """What it would be sorted by, were it sorted by relevance."""
        if self._asked.everything:
            return 0.0
        if not self._sorted:
            return sort_value
        wanted = self._explainer or {"score", "matched"} & set(self._added)
        return (value(self._searcher, self._query, address) or 0.0) if wanted else 0.0

    def _value(
        self, name: str, score: float, address: tantivy.DocAddress, document: tantivy.Document
    ) -> Any:
        if name == "score":
            return round(score, 4)
        if name == "matched":
            return self._matched.one(score, address)
        assert self._marking
        return dict(_pieces(document, self._marking))

    def _chosen(self, document: tantivy.Document) -> dict[str, Any]:
        """The fields that were asked for, of what is stored."""
        kept = {**card(document), "title": shown(document, "title")}
        chosen: dict[str, Any] = {
            name: kept[name] for name in ("id", *self._fields) if name in kept
        }
        if any(name in _MORE for name in self._fields):
            rest = more(document)
            chosen |= {name: rest[name] for name in self._fields if name in rest}
        return chosen | {name: shown(document, name) for name in _TEXTS if name in self._fields}


def _pieces(document: tantivy.Document, marking: Marking) -> Iterator[tuple[str, str]]:
    for field in ("title", *_TEXTS):
        if piece := marking.text(shown(document, field)):
            yield field, piece
    if piece := marking.tags(card(document)["tags"]):
        yield "tags", piece
