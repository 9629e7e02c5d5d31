"""Hits as JSON objects: what is stored, with what depends on the search added to it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import tantivy

from contracts.search import SearchQuery
from storage.index.build import Builder
from storage.index.explanation import Explainer
from storage.index.few import Few
from storage.index.fusion import FusedExplainer, FusedPages
from storage.index.grammar import Understood
from storage.index.marking import Marking
from storage.index.matched import Matched
from storage.index.pages import Hit
from storage.index.ranking import Ranking
from storage.index.stored import card, more, shown

#: Hits of one answer that are explained, the first: each takes many times what it takes to find it.
EXPLAINED_MAX = 100
#: What a hit shows only to who asks for it.
_TEXTS = ("problem", "solution")
_MORE = ("source", "external_id", "author", "created_at")
_ADDED = ("score", "matched", "highlights")


class _Shown(NamedTuple):
    """A hit, with what is stored of its entry."""

    sort_value: float
    address: tantivy.DocAddress
    document: tantivy.Document
    card: dict[str, Any]

    @property
    def named(self) -> dict[str, Any]:
        """What every hit shows."""
        return {**self.card, "title": shown(self.document, "title")}


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
        self._matched = Matched(builder.counting(), asked)
        self._marking = Marking(asked) if "highlights" in self._added else None
        self._explainer: Explainer | FusedExplainer | None = (
            Explainer(builder, asked, query, request.q, ranking) if request.explain else None
        )

    def fuse(self, pages: FusedPages) -> None:
        """Show hits as these pages have put them in order."""
        self._matched.lexical = pages.lexical
        if isinstance(self._explainer, Explainer) and not self._sorted:
            self._explainer = FusedExplainer(self._explainer, pages, pages.sure)

    def all(self, found: Iterable[Hit]) -> list[dict[str, Any]]:
        """SearchHits, in the order of `found`."""
        shown = [self._shown(*hit) for hit in found]
        few = Few(self._searcher, [hit.card["id"] for hit in shown])
        marked = self._marked(shown)
        told = [self._one(hit, few, pieces) for hit, pieces in zip(shown, marked, strict=True)]
        if self._explainer:
            for hit, one in zip(shown[:EXPLAINED_MAX], told, strict=False):
                score = self._score(hit, few)
                one["explanation"] = self._explainer.one(score, hit.address, hit.document, few)
        return told

    def _shown(self, sort_value: float, address: tantivy.DocAddress) -> _Shown:
        document = self._ranking.document(address)
        return _Shown(sort_value, address, document, card(document))

    def _one(self, hit: _Shown, few: Few, pieces: dict[str, str]) -> dict[str, Any]:
        score = self._score(hit, few)
        one = self._chosen(hit) if self._fields else hit.named
        for name in self._added:
            match name:
                case "score":
                    one[name] = round(score, 4)
                case "matched":
                    one[name] = self._matched.one(score, hit.address, few)
                case "highlights":
                    one[name] = pieces
        return one

    def _score(self, hit: _Shown, few: Few) -> float:
        """What it would be sorted by, were it sorted by relevance."""
        if self._asked.everything:
            return 0.0
        if not self._sorted:
            return hit.sort_value
        wanted = self._explainer or {"score", "matched"} & set(self._added)
        return (few.value(self._query, hit.address) or 0.0) if wanted else 0.0

    def _marked(self, hits: Sequence[_Shown]) -> Iterator[dict[str, str]]:
        """The highlights of each hit."""
        if not self._marking:
            yield from ({} for _ in hits)
            return
        names = ("title", *_TEXTS)
        texts = (shown(hit.document, name) for hit in hits for name in names)
        pieces = iter(self._marking.texts(texts))
        tags = self._marking.tags({tag for hit in hits for tag in hit.card["tags"]})
        for hit in hits:
            marked = {name: piece for name, piece in zip(names, pieces, strict=False) if piece}
            if found := [tags[tag] for tag in hit.card["tags"] if tag in tags]:
                marked["tags"] = ", ".join(found)
            yield marked

    def _chosen(self, hit: _Shown) -> dict[str, Any]:
        """The fields that were asked for, of what is stored."""
        document = hit.document
        kept = hit.named
        chosen: dict[str, Any] = {
            name: kept[name] for name in ("id", *self._fields) if name in kept
        }
        if any(name in _MORE for name in self._fields):
            rest = more(document)
            chosen |= {name: rest[name] for name in self._fields if name in rest}
        return chosen | {name: shown(document, name) for name in _TEXTS if name in self._fields}
