"""Hits in the order of a field, those of equal value in an order of their own.

The engine sorts by one field alone and leaves equals as they happen to lie; `place`, made of the
entry's id, decides between them, so that pages never overlap.
"""

from typing import NamedTuple, TypeAlias

import tantivy

from contracts.selection import Shown
from storage.index.grammar import Understood
from storage.index.schema import schema

_MUST = tantivy.Occur.Must
_UP, _DOWN = tantivy.Order.Asc, tantivy.Order.Desc
Query = tantivy.Query

#: The value that it is sorted by, and where the entry is.
Keyed: TypeAlias = tuple[int, tantivy.DocAddress]
#: After which hit to go on: its value and its place.
Edge: TypeAlias = tuple[int, int]


class Order(NamedTuple):
    """Sorted by a fast field of whole numbers."""

    field: str
    descending: bool

    @property
    def unchanging(self) -> bool:
        """Whether an entry keeps its value for ever."""
        return self.field in ("created", "place")

    def furthest(self, edges: list[Edge]) -> Edge:
        """The one that comes last."""
        sign = -1 if self.descending else 1
        return max(edges, key=lambda edge: (sign * edge[0], edge[1]))


BY_PLACE = Order("place", descending=False)


def order_of(request: Shown, asked: Understood) -> Order | None:
    """None is by relevance; what nothing is asked of is sorted by its last change."""
    name = request.sort.removeprefix("-")
    if name == "relevance":
        return Order("updated", descending=True) if asked.everything else None
    return Order(name, request.descending)


def places(searcher: tantivy.Searcher, found: list[tantivy.DocAddress]) -> list[int]:
    """The place of each."""
    return [int(place or 0) for place in searcher.fast_field_values("place", found)]


def cut(
    searcher: tantivy.Searcher, query: tantivy.Query, order: Order, most: int, skip: int = 0
) -> tuple[int, list[Keyed]]:
    """How many there are, and those from `skip` on, at most `most`."""
    end = skip + most
    direction = _DOWN if order.descending else _UP
    result = searcher.search(query, end + 1, order_by_field=order.field, order=direction)
    total: int = result.count  # type: ignore[attr-defined]  # the stubs leave it out
    found = result.hits
    beyond = found[end][0] if len(found) > end else None
    sure = [hit for hit in found[:end] if hit[0] != beyond]
    ordered = _by_place(searcher, sure, order)[skip:]
    room = end - max(skip, len(sure))
    if beyond is not None and room:  # of the equal ones at the end, those of the first places
        before = max(0, skip - len(sure))
        ordered += _equals(searcher, query, order, beyond, room, skip=before)
    return total, ordered


def after(
    searcher: tantivy.Searcher, query: tantivy.Query, order: Order, edge: Edge, most: int
) -> list[Keyed]:
    """At most `most` that come after `edge`, whether or not its entry is still there."""
    value, place = edge
    if order == BY_PLACE:
        return cut(searcher, _and(query, "place", above=place), order, most)[1]
    found = _equals(searcher, query, order, value, most, above=place)
    if len(found) < most:
        ends = {"below": value} if order.descending else {"above": value}
        rest = cut(searcher, _and(query, order.field, **ends), order, most - len(found))
        found += rest[1]
    return found


def _by_place(searcher: tantivy.Searcher, found: list[Keyed], order: Order) -> list[Keyed]:
    """The same hits; the engine has sorted them but for the equal ones."""
    if len({value for value, _ in found}) == len(found):
        return found
    sign = -1 if order.descending else 1
    placed = zip(found, places(searcher, [address for _, address in found]), strict=True)
    return [hit for hit, _ in sorted(placed, key=lambda one: (sign * one[0][0], one[1]))]


def _equals(
    searcher: tantivy.Searcher,
    query: tantivy.Query,
    order: Order,
    value: int,
    most: int,
    *,
    skip: int = 0,
    above: int | None = None,
) -> list[Keyed]:
    """Those that have this very value, by their places."""
    if order == BY_PLACE:
        wanted = _and(query, "place", at=value)
    else:
        wanted = _and(query, order.field, at=value)
        if above is not None:
            wanted = _and(wanted, "place", above=above)
    found = searcher.search(
        wanted, most, offset=skip, count=False, order_by_field="place", order=_UP
    )
    return [(value, address) for _, address in found.hits]


def _and(
    query: tantivy.Query,
    field: str,
    *,
    at: int | None = None,
    above: int | None = None,
    below: int | None = None,
) -> tantivy.Query:
    low, high = (at, at) if at is not None else (above, below)
    within = Query.range_query(
        schema(),
        field,
        tantivy.FieldType.Integer,
        low,
        high,
        include_lower=at is not None or low is None,
        include_upper=at is not None or high is None,
    )
    return Query.boolean_query([(_MUST, query), (_MUST, Query.const_score_query(within, 0.0))])
