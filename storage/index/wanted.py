"""Which of a few entries a saved search wants: strictly, since nobody looks at what comes next."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tantivy

from contracts.search import SearchQuery
from storage.index.build import Builder
from storage.index.filters import Filters
from storage.index.grammar import Group, Keyword, Node, Understood, Words
from storage.index.parser import understand
from storage.index.stored import card


class Wanted(NamedTuple):
    """A saved search, as the index needs it."""

    name: str
    query: str
    category: tuple[str, ...]


def wanted(
    searcher: tantivy.Searcher, searches: Sequence[Wanted], ids: Sequence[str]
) -> Iterator[tuple[str, str, int]]:
    """`(name of the search, id, version)` of those entries among `ids` that each search wants."""
    versions: dict[tuple[int, int], tuple[str, int]] = {}
    for one in searches:
        request = SearchQuery(q=one.query, category=one.category)
        filters = Filters.of(request)
        among = Filters({**filters.by_name, "among": (Keyword("id", tuple(ids)),)})
        query = Builder(searcher).query(strictly(understand(request.q)), among)
        for _, address in searcher.search(query, len(ids), count=False).hits:
            place = address.segment_ord, address.doc
            if place not in versions:
                kept = card(searcher.doc(address))
                versions[place] = kept["id"], kept["version"]
            yield one.name, *versions[place]


def strictly(asked: Understood) -> Understood:
    """`asked` with a need for one of its codes, or without codes for each of its words."""
    required: list[Node] = list(asked.root.required)
    if asked.codes:
        required.append(Words((), asked.codes))
    else:
        for node in asked.root.wanted:
            required += _each(node) if isinstance(node, Words) else (node,)
    return Understood(Group((), tuple(required), asked.root.excluded), asked.codes)


def _each(words: Words) -> Iterator[Words]:
    for stem, _ in words.stems:
        yield Words(((stem, 1),))
