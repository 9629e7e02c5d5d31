"""The best hits of each group, beside how many the group has."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import tantivy

from contracts.search import SearchQuery
from storage.index.facets import count_values
from storage.index.filters import Filters
from storage.index.names import Names
from storage.index.order import Order
from storage.index.pages import Hit, Pages
from storage.index.ranking import WINDOW
from storage.index.schema import STEP, key
from storage.index.stored import card, more

GROUPS_MAX = 20  # groups that are looked into
VALUES_MAX = 1_000  # groups that are counted at once


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
    everything = pages(filters)
    totals = _totals(searcher, everything.query, name)
    values = list(totals)
    if len(values) > GROUPS_MAX:  # the largest may hold nothing but words of a query with a code
        leading = _leading(searcher, everything.best(WINDOW), name)
        values = list(dict.fromkeys([*leading, *values]))[:GROUPS_MAX]
    found = []
    for value in values:
        within = pages(filters.only(name, value))
        if hits := within.best(request.group_limit):
            found.append(Group(value, totals.get(value) or within.top(1)[0], hits))
    descending = order is None or order.descending
    found.sort(key=lambda group: (group.hits[0][0] * (-1 if descending else 1), group.value))
    return found[request.offset : request.offset + request.limit]


def _leading(searcher: tantivy.Searcher, hits: Iterable[Hit], name: str) -> Iterator[str]:
    """The values that these hits have, in their order."""
    for _, address in hits:
        document = searcher.doc(address)
        kept = card(document)
        kept |= more(document) | {"year": kept["updated_at"][:4]}
        if value := kept.get(name):
            yield key(value)


def _totals(searcher: tantivy.Searcher, query: tantivy.Query, name: str) -> dict[str, int]:
    """The values with the most entries, the largest first. A category is a group without its
    parts."""
    counts = count_values(searcher, query, (name,), VALUES_MAX)[name]
    if name != "category":
        return dict(counts)
    totals: dict[str, int] = {}
    for path, count in counts:
        value = key(path.rpartition(STEP)[2])
        totals[value] = totals.get(value, 0) + count
    return dict(sorted(totals.items(), key=lambda pair: (-pair[1], pair[0])))


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
