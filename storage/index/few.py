"""What parts of a query give a few entries: the engine is asked about all of them at once."""

from collections.abc import Sequence
from functools import cached_property

import tantivy

from storage.index.schema import schema

_MUST, _SHOULD = tantivy.Occur.Must, tantivy.Occur.Should
Query = tantivy.Query
Place = tuple[int, int]  # of a document in one commit


def place(address: tantivy.DocAddress) -> Place:
    """What tells one address from others."""
    return address.segment_ord, address.doc


class Few:
    """Entries of one commit, by their ids; one at least."""

    def __init__(self, searcher: tantivy.Searcher, ids: Sequence[str]) -> None:
        self._searcher = searcher
        self._ids = ids
        self._known: dict[tantivy.Query, dict[Place, float]] = {}

    def addresses(self) -> list[tantivy.DocAddress]:
        """Where they are; of those that the commit holds."""
        found = self._searcher.search(self._among, len(self._ids), count=False).hits
        return [address for _, address in found]

    def value(self, query: tantivy.Query, address: tantivy.DocAddress) -> float | None:
        """What `query` alone gives one of them; None if that does not fit it."""
        if query not in self._known:
            self._known[query] = self.values(query)
        return self._known[query].get(place(address))

    def values(self, query: tantivy.Query) -> dict[Place, float]:
        """What `query` gives those that fit it, the highest first."""
        both = Query.boolean_query([(_MUST, self._among), (_MUST, query)])
        found = self._searcher.search(both, len(self._ids), count=False).hits
        return {place(address): score for score, address in found}

    @cached_property
    def _among(self) -> tantivy.Query:
        ids = [(_SHOULD, Query.term_query(schema(), "id", one)) for one in self._ids]
        return Query.const_score_query(Query.boolean_query(ids), 0.0)
