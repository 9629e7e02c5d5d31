"""Cuts the hits of a search into pages: by limit and offset, or from a cursor on."""

from typing import NamedTuple, TypeAlias

import tantivy

from contracts.search import SearchQuery
from storage.index import cursor as cursors
from storage.index.cursor import Cursor
from storage.index.order import BY_PLACE, Edge, Order, after, cut, places
from storage.index.ranking import WINDOW, Ranking

#: What a hit is sorted by (a score, or a field's value), and where it is.
Hit: TypeAlias = tuple[float, tantivy.DocAddress]


FEW = 5  # hits that are ranked where only some of the best are wanted


class Page(NamedTuple):
    """How many entries match, those of the page that is asked for, and what the next one is."""

    total: int
    hits: list[Hit]
    next: str | None = None


class Pages:
    """The hits of one query in one commit, in one order; None is by relevance."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        query: tantivy.Query,
        order: Order | None,
        ranking: Ranking,
    ) -> None:
        self._searcher = searcher
        self.query = query
        self._order = order
        self._ranking = ranking

    def top(self, most: int, skip: int = 0) -> tuple[int, list[Hit]]:
        """How many there are, and the best `most` after the first `skip`."""
        if self._order:
            total, keyed = cut(self._searcher, self.query, self._order, most, skip)
            return total, list(keyed)
        ranked = skip < WINDOW  # what follows stays in the engine's order
        first, size = (0, max(WINDOW, skip + most)) if ranked else (skip, most)
        found = self._searcher.search(self.query, size, offset=first)
        hits = found.hits
        if ranked:
            hits = self._ranking.order(hits, skip + most)[skip : skip + most]
        count: int = found.count  # type: ignore[attr-defined]  # the stubs leave it out
        return count, hits

    def best(self, most: int) -> list[Hit]:
        """The best `most`, without counting how many there are, which spares looking at most."""
        if self._order:
            return list(cut(self._searcher, self.query, self._order, most)[1])
        found = self._searcher.search(self.query, max(FEW, most), count=False)
        return self._ranking.order(found.hits)[:most]

    def page(self, request: SearchQuery) -> Page:
        """The page that is asked for. Raises: ValidationFailed for a cursor that is none."""
        if request.cursor:
            return self._following(cursors.read(request.cursor, request), request.limit)
        total, hits = self.top(request.limit, request.offset)
        if request.offset or total <= request.limit:  # who counts pages needs no cursor
            return Page(total, hits)
        return Page(total, hits, self._next(Cursor(cursors.question(request)), hits))

    def _following(self, begun: Cursor, most: int) -> Page:
        """One more than wanted is looked for: whether there is a page after this one."""
        wanted = most + 1 + len(begun.shown)
        if begun.full or (begun.edge and self._unchanging):
            total, _ = self.top(1)
            found = self._beyond(begun.edge, wanted)
        else:
            total, found = self.top(wanted)
        marks = map(cursors.mark, places(self._searcher, [address for _, address in found]))
        fresh = [hit for hit, mark in zip(found, marks, strict=True) if mark not in begun.shown]
        hits = fresh[:most]
        return Page(total, hits, self._next(begun, hits) if len(fresh) > most else None)

    @property
    def _unchanging(self) -> bool:
        return self._order is not None and self._order.unchanging

    def _beyond(self, edge: Edge | None, most: int) -> list[Hit]:
        """What comes after the entries that a cursor can name; by relevance that is the rest."""
        order = self._order or BY_PLACE
        if edge is None:
            return list(cut(self._searcher, self.query, order, most)[1])
        return list(after(self._searcher, self.query, order, edge, most))

    def _next(self, begun: Cursor, hits: list[Hit]) -> str:
        placed = places(self._searcher, [address for _, address in hits])
        edge, shown = begun.edge, begun.shown
        if self._order or begun.full:
            order = self._order or BY_PLACE
            values = placed if order == BY_PLACE else [int(value) for value, _ in hits]
            edges = list(zip(values, placed, strict=True))
            edge = order.furthest([*edges, edge] if edge else edges)
        if not (begun.full or self._unchanging):
            shown |= frozenset(map(cursors.mark, placed))
        return Cursor(begun.question, shown, edge).text()
