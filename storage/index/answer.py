"""The whole answer to one search, from one commit of the index."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import tantivy

from contracts.search import FusedQuery, SearchQuery
from storage.index.build import Builder
from storage.index.facets import counted
from storage.index.filters import Filters
from storage.index.forgive import Near, meant
from storage.index.fusion import Fused, FusedPages
from storage.index.grammar import Node, Understood
from storage.index.groups import GROUPS_MAX, Group, as_json, grouped
from storage.index.guesses import Guesses
from storage.index.hits import EXPLAINED_MAX, Hits
from storage.index.names import Names
from storage.index.order import order_of
from storage.index.pages import Page, Pages
from storage.index.plain import relaxed, without_unheld
from storage.index.ranking import Ranking
from storage.index.slips import asking, corrected
from storage.index.told import told
from storage.index.values import with_values
from storage.index.weights import PROFILES

NO_MEANING = "nothing in it has a meaning"


def answer(
    searcher: tantivy.Searcher,
    asked: Understood,
    request: SearchQuery,
    names: Names,
    pinned: Sequence[str],
    guesses: Guesses,
) -> dict[str, Any]:
    """A SearchReply, but for when and from where it came. `pinned` are ids of what comes first,
    `guesses` the words of entries that are spelt like one.

    Raises: ValidationFailed for a cursor that is none.
    """
    pinned = pinned if request.sort == "relevance" else ()
    found = _Search(searcher, asked, request, pinned)
    for easier in (partial(without_unheld, held=found.holds), relaxed):
        if not found.page.total and (other := easier(asked)):
            asked, found = other, _Search(searcher, other, request, pinned)
    may_mean = _did_you_mean(searcher, request.q, found.asked, guesses.near)
    reply: dict[str, Any] = {
        "hits": found.hits.all(found.page.hits),
        "total": found.page.total,
        "limit": request.limit,
        "offset": request.offset,
        "next": found.page.next,
        "interpreted_as": told(found.asked, (*found.builder.reading.notes, *guesses.notes)),
        "did_you_mean": may_mean,
    }
    if request.group:
        shown = as_json(found.groups, searcher, request.group, names, found.hits.all)
        reply["groups"] = list(shown)
    if request.facets:
        reply["facets"] = found.facets(names)
    return reply


def _did_you_mean(searcher: tantivy.Searcher, q: str, asked: Understood, near: Near) -> str | None:
    """The query as it may have been meant; None if nothing in it looks misspelt."""
    word, code = partial(searcher.doc_freq, "text"), partial(searcher.doc_freq, "codes")
    spelt = meant(q, asked, word, near)
    codes = asking(q, asked, code, word)
    found = corrected(spelt or q, codes) if codes else spelt
    return with_values(searcher, found or q) or found


class _Search:
    """One question, asked of one commit."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        asked: Understood,
        request: SearchQuery,
        pinned: Sequence[str],
    ) -> None:
        self._searcher = searcher
        self._request = request
        self._pinned = pinned
        self._filters = Filters.of(request)
        self.builder = Builder(searcher)
        asked = self.builder.reading.affordable(asked, _times(request))
        self._order = order_of(request, asked)
        self._ranking = Ranking(searcher, asked, PROFILES[request.profile])
        self.asked = asked
        self._fused = None
        if isinstance(request, FusedQuery):
            note = NO_MEANING if asked.everything else request.note
            self.builder.reading.notes += [note] if note else []
            if not asked.everything:
                self._fused = Fused(searcher, self.builder, asked, request)
        pages = self._pages(self._filters)
        self.groups: list[Group] = []
        if request.group:
            self.page = Page(pages.top(1)[0], [])
            self.groups = grouped(searcher, self._pages, self._filters, request, self._order)
            shown = sum(len(group.hits) for group in self.groups)
            if request.explain and shown > EXPLAINED_MAX:
                self.builder.reading.notes.append(f"the first {EXPLAINED_MAX} hits are explained")
        else:
            self.page = pages.page(request)
        self.hits = Hits(searcher, self.builder, asked, pages.query, request, self._ranking)
        if isinstance(pages, FusedPages):
            self.hits.fuse(pages)

    def facets(self, names: Names) -> dict[str, Any]:
        """The counts that were asked for."""
        return counted(self._searcher, self._matching, self._filters, self._request, names)

    def holds(self, node: Node) -> bool:
        """Whether an entry has what `node` asks for, be it filtered out or not."""
        query = self.builder.counting().required(node)
        return bool(self._searcher.search(query, 1, count=False).hits)

    def _matching(self, filters: Filters) -> tantivy.Query:
        """What finds the same entries as a search with these filters, and ranks nothing."""
        if self._fused:
            return self._pages(filters).query
        return self._narrowed(filters, self.builder.counting())

    def _narrowed(self, filters: Filters, builder: Builder) -> tantivy.Query:
        return builder.pinned(builder.query(self.asked, filters), self._pinned, filters)

    def _pages(self, filters: Filters) -> Pages:
        if self._fused:
            return self._fused.pages(filters, self._pinned, self._order, self._ranking)
        return Pages(
            self._searcher, self._narrowed(filters, self.builder), self._order, self._ranking
        )


def _times(request: SearchQuery) -> int:
    """How often its query is asked at most: for a page, each facet, each group, and each part of an
    explanation of all hits together."""
    times = 2 + len(request.facets) + GROUPS_MAX * bool(request.group) + 2 * request.explain
    return times * (2 if isinstance(request, FusedQuery) else 1)
