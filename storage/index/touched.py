"""At which position each category was last touched: what an answer that was kept is judged by.

It is part of a commit's mark, so that it moves with the position whatever is killed, and goes
wherever the index goes: into backups, and back out of them.
"""

import heapq
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import tantivy

from contracts.position import Position
from storage.index.schema import STEP, IndexDocument, key, schema

CATEGORIES_MAX = 256  # that are told apart: those touched last
PATHS_MAX = 1_000  # places in the tree that one commit may touch before it counts as all of them

_NONE: Mapping[str, Position] = MappingProxyType({})


class Touched(NamedTuple):
    """Positions of one epoch. A category is named as it compares, and holds its parts."""

    #: No category but those in `categories` was touched after this.
    rest: Position
    #: When this index was begun, in Unix seconds: whatever was asked before may be of another one.
    built: float
    categories: Mapping[str, Position] = _NONE

    @classmethod
    def everything(cls, position: Position, built: float | None = None) -> "Touched":
        """An index that was built at `position`."""
        return cls(position, time.time() if built is None else built)

    def by(self, position: Position, names: Iterable[str] | None) -> "Touched":
        """After a commit at `position` that touched these categories; None: all of them."""
        if names is None:
            return Touched.everything(position, self.built)
        known = {**self.categories, **dict.fromkeys(names, position)}
        if len(known) <= CATEGORIES_MAX:
            return self._replace(categories=known)
        kept = heapq.nlargest(CATEGORIES_MAX, known, key=lambda name: (known[name], name))
        rest = max([self.rest, *(known[name] for name in known.keys() - set(kept))])
        return self._replace(rest=rest, categories={name: known[name] for name in kept})

    def as_json(self) -> dict[str, Any]:
        """For `read`."""
        places = {name: (str(one.txid), one.seq) for name, one in self.categories.items()}
        return {"rest": str(self.rest), "built": self.built, "categories": places}

    @classmethod
    def read(cls, kept: Any) -> "Touched | None":
        """What `as_json` gave; None for anything else, such as what another release has left."""
        try:
            rest = Position.parse(kept["rest"])
            known = {
                name: Position(rest.epoch, int(txid), int(seq))
                for name, (txid, seq) in kept["categories"].items()
            }
            return cls(rest, float(kept["built"]), known)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


class Changes:
    """What was applied since the last commit, as far as it says which categories that touches."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._names: set[str] = set()

    def add(self, upserts: Iterable[IndexDocument], deletes: Iterable[str]) -> None:
        """Entries that were replaced or added, and ids of those that were deleted."""
        for entry in upserts:
            self._ids.add(entry.id)
            self._names.update(map(key, (entry.category, *entry.within)))
        self._ids.update(map(str, deletes))

    def clear(self) -> None:
        """They were committed, or undone."""
        self._ids.clear()
        self._names.clear()

    def categories(self, before: tantivy.Searcher) -> set[str] | None:
        """Those that the entries are in now, and were in `before`; None where they are too many.

        Their ancestors too, as each entry was indexed with: the tree may have changed since.
        """
        if not self._ids:
            return set()
        there = [name for name in self._ids if before.doc_freq("id", name)]
        if not there:  # an import of new entries: a query for all of them takes far longer
            return set(self._names)
        theirs = tantivy.Query.term_set_query(schema(), "id", there)
        paths = {"field": "path", "size": PATHS_MAX, "segment_size": PATHS_MAX}
        counted = before.aggregate(theirs, {"path": {"terms": paths}})["path"]
        if counted["sum_other_doc_count"]:
            return None
        found = {key(name) for one in counted["buckets"] for name in one["key"].split(STEP)}
        return found | self._names
