"""How values are written: the index compares them in one form, and people see another."""

from collections.abc import Iterable

import tantivy

from storage.index.schema import key, schema
from storage.index.stored import card, more

REMEMBERED_MAX = 10_000  # names

#: Where an entry keeps the value as it is written. What is not here is shown as it compares.
_KEPT = {"category": card, "tag": card, "source": more, "author": more}


class Names:
    """Names of values, each looked up in some entry that has it, and remembered. For threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def several(
        self, searcher: tantivy.Searcher, facet: str, found: Iterable[tuple[str, int]]
    ) -> dict[str, str]:
        """The name of each value in `found`."""
        return {value: self.one(searcher, facet, value) for value, _ in found}

    def one(self, searcher: tantivy.Searcher, facet: str, value: str) -> str:
        """How `value` is written."""
        if facet not in _KEPT:
            return value
        name = self._known.get((facet, value))
        if name is None:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            name = self._known[facet, value] = _looked_up(searcher, facet, value)
        return name


def _looked_up(searcher: tantivy.Searcher, facet: str, value: str) -> str:
    has = tantivy.Query.term_query(schema(), facet, value)
    for _, address in searcher.search(has, 1, count=False).hits:
        kept = _KEPT[facet](searcher.doc(address))
        written = kept.get("tags", []) if facet == "tag" else [kept.get(facet, value)]
        return next((name for name in written if key(name) == value), value)
    return value
