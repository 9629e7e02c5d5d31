"""Hits by words and hits by meaning in one order: reciprocal rank fusion."""

from collections.abc import Iterator, Sequence
from typing import Any

import tantivy

from contracts.search import NEAR_MAX, FusedQuery
from storage.index.build import Builder, code_score
from storage.index.explanation import Explainer
from storage.index.few import Few, Place, place
from storage.index.filters import Filters
from storage.index.grammar import Group, Understood, ranks
from storage.index.order import Order
from storage.index.pages import Hit, Pages
from storage.index.ranking import WINDOW, Ranking
from storage.index.weights import FUSION, PIN_SCORE

_MUST, _SHOULD = tantivy.Occur.Must, tantivy.Occur.Should
Query = tantivy.Query


class Fused:
    """What one search asks for by words, and which entries it was told to be near."""

    def __init__(
        self, searcher: tantivy.Searcher, builder: Builder, asked: Understood, request: FusedQuery
    ) -> None:
        self.searcher = searcher
        self._builder = builder
        self._asked = asked
        self._ids = [str(one) for one in request.near]
        self.hybrid = request.mode == "hybrid"
        self.weight = request.weight if self.hybrid else 1.0
        #: From this score on an entry is where it is because of a code, or was pinned.
        self.sure = code_score(asked) if asked.codes else PIN_SCORE

    def lexical(self, filters: Filters, pinned: Sequence[str]) -> tantivy.Query:
        """What ranks by itself: in a search by meaning alone only codes and pins do."""
        asked = self._asked
        if not self.hybrid:
            bare = Group(required=self._conditions, excluded=asked.root.excluded)
            # Codes are wanted by their fields alone, so one of them must be there.
            codes = [(_SHOULD, query) for _, _, query in self._builder.each_code(asked)]
            found = Query.boolean_query(codes) if codes else Query.empty_query()
            within = self._builder.query(Understood(bare), filters)
            clauses = [(_MUST, found), (_MUST, Query.const_score_query(within, 0.0))]
            return self._builder.pinned(Query.boolean_query(clauses), pinned, filters)
        return self._builder.pinned(self._builder.query(asked, filters), pinned, filters)

    @property
    def _conditions(self) -> tuple[Any, ...]:
        """What the query asks for that no meaning stands for: `category:x`, `updated:>2026`."""
        return tuple(node for node in self._asked.root.required if not ranks(node))

    def near(self, filters: Filters) -> tantivy.Query:
        """The near entries that pass the filters and the query's own; the nearest score most."""
        count = len(self._ids)
        if not count:
            return Query.empty_query()
        bare = Understood(Group(required=self._conditions, excluded=self._asked.root.excluded))
        within = Query.const_score_query(self._builder.query(bare, filters), 0.0)
        ids = [
            (_SHOULD, Query.const_score_query(self._builder.entry(one), float(count - number)))
            for number, one in enumerate(self._ids)
        ]
        return Query.boolean_query([(_MUST, within), (_MUST, Query.boolean_query(ids))])

    def pages(
        self, filters: Filters, pinned: Sequence[str], order: Order | None, ranking: Ranking
    ) -> "FusedPages":
        """The hits with these filters."""
        return FusedPages(self, self.lexical(filters, pinned), self.near(filters), order, ranking)


class FusedPages(Pages):
    """Codes and pins first, then both lists as one; what only words further down found follows."""

    def __init__(
        self,
        fused: Fused,
        lexical: tantivy.Query,
        near: tantivy.Query,
        order: Order | None,
        ranking: Ranking,
    ) -> None:
        either = [(_SHOULD, lexical), (_SHOULD, Query.const_score_query(near, 0.0))]
        super().__init__(fused.searcher, Query.boolean_query(either), order, ranking)
        self._fused = fused
        self.lexical = lexical
        self.sure = fused.sure
        self.weight = fused.weight
        self._near = near
        #: Places in the two lists, from 1, by document.
        self.by_words: dict[Place, int] = {}
        self.by_meaning: dict[Place, int] = {}

    def top(self, most: int, skip: int = 0) -> tuple[int, list[Hit]]:
        """How many there are, and the best `most` after the first `skip`."""
        if self._order:
            return super().top(most, skip)
        total: int = self._searcher.search(self.query, 1).count  # type: ignore[attr-defined]  # the stubs leave it out
        return total, self.best(skip + most)[skip:]

    def best(self, most: int) -> list[Hit]:
        """The best `most`, without counting how many there are."""
        if self._order:
            return super().best(most)
        found = self._first()
        if len(found) < most:
            shown = {place(address) for _, address in found}
            rest = self._searcher.search(self.lexical, most, offset=WINDOW, count=False).hits
            found += [(0.0, address) for _, address in rest if place(address) not in shown]
        return found[:most]

    def _first(self) -> list[Hit]:
        words = self._ranking.order(self._searcher.search(self.lexical, WINDOW, count=False).hits)
        sure = [hit for hit in words if hit[0] >= self.sure]
        words = words[len(sure) :] if self._fused.hybrid else []
        near = self._searcher.search(self._near, NEAR_MAX, count=False).hits
        self.by_words = {place(address): n for n, (_, address) in enumerate(words, 1)}
        self.by_meaning = {place(address): n for n, (_, address) in enumerate(near, 1)}
        first = {place(address) for _, address in sure}
        rest = {place(address): address for _, address in (*words, *near)}
        fused = [(self.points(one), address) for one, address in rest.items() if one not in first]
        return [*sure, *sorted(fused, key=lambda hit: -hit[0])]

    def points(self, one: Place) -> float:
        """The sum of what both lists give."""
        return sum(score for *_, score in self.given(one))

    def given(self, one: Place) -> Iterator[tuple[str, int, float]]:
        """By what, at which place and with how many points either list has it: 1 / (FUSION +
        place), times the weight of that list."""
        lists = (("by words", self.by_words, 1.0), ("by meaning", self.by_meaning, self.weight))
        for kind, numbers, weight in lists:
            if number := numbers.get(one):
                yield kind, number, weight / (FUSION + number)


class FusedExplainer:
    """Explains by the two lists what they have placed, and by its words what a code has."""

    def __init__(self, explainer: Explainer, pages: FusedPages, sure: float) -> None:
        self._explainer = explainer
        self._pages = pages
        self._sure = sure

    def one(
        self, score: float, address: tantivy.DocAddress, document: tantivy.Document, few: Few
    ) -> dict[str, Any]:
        """An Explanation."""
        if score >= self._sure:
            return self._explainer.one(score, address, document, few)
        parts = [
            {"kind": kind, "text": str(number), "field": "text", "score": score}
            for kind, number, score in self._pages.given(place(address))
        ]
        told = ", ".join(f"number {part['text']} {part['kind']}" for part in parts)
        return {"text": told or "found by words further down than is fused", "parts": parts}
