"""The best hits of each group, beside how many the group has."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import tantivy

from contracts.search import SearchQuery
from storage.index.facets import count_values
from storage.index.filters import Filters
from storage.index.names import Names
from storage.index.order import Order
from storage.index.pages import Hit, Pages
from storage.index.schema import STEP, key

GROUPS_MAX = 20  # groups that are looked into: the largest


class Group(NamedTuple):
    """One value, how many entries have it, and the best of them."""

    value: str
    total: int
    hits: list[Hit]


def grouped(
    searcher: tantivy.Searcher,
    pages: Callable[[Filters], Pages],
    filters: Filters,
    request: SearchQuery,
    order: Order | None,
) -> list[Group]:
    """The groups of the page that is asked for, the one with the best hit first.

    `pages` gives the hits with some filters, in `order`.
    """
    name = request.group or "category"
    found = []
    for value, total in _values(searcher, pages(filters).query, name):
        if hits := pages(filters.only(name, value)).best(request.group_limit):
            found.append(Group(value, total, hits))
    descending = order is None or order.descending
    found.sort(key=lambda group: (group.hits[0][0] * (-1 if descending else 1), group.value))
    return found[request.offset : request.offset + request.limit]


def _values(searcher: tantivy.Searcher, query: tantivy.Query, name: str) -> list[tuple[str, int]]:
    """The values with the most entries. A category is a group without its parts."""
    counts = count_values(searcher, query, (name,), GROUPS_MAX)[name]
    if name != "category":
        return counts
    totals: dict[str, int] = {}
    for path, count in counts:
        value = key(path.rpartition(STEP)[2])
        totals[value] = totals.get(value, 0) + count
    return sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))[:GROUPS_MAX]


def as_json(
    groups: list[Group],
    searcher: tantivy.Searcher,
    name: str,
    names: Names,
    show: Callable[[list[Hit]], list[Any]],
) -> Iterator[dict[str, Any]]:
    """The groups as HitGroups. All their hits are shown at once, which asks the engine once."""
    shown = iter(show([hit for group in groups for hit in group.hits]))
    for value, total, hits in groups:
        written = names.one(searcher, name, value)
        own = list(islice(shown, len(hits)))
        yield {"value": value, "name": written, "total": total, "hits": own}
