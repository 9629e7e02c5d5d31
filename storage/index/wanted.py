"""Which of a few entries a saved search wants: strictly, since nobody looks at what comes next."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import tantivy

from contracts.saved_searches import SEARCHES_MAX
from contracts.search import SearchQuery
from storage.index.build import Builder
from storage.index.few import Few, Place, place
from storage.index.filters import Filters
from storage.index.grammar import Boosted, Group, Node, Pattern, Understood, Words, leaves
from storage.index.parser import understand
from storage.index.rarest import CODES_MAX
from storage.index.stored import card
from storage.index.text import spoken, telling_words
from storage.index.told import told

LOOKED_THROUGH = 1_000  # entries


class Wanted(NamedTuple):
    """A saved search, as the index needs it."""

    name: str
    query: str
    category: tuple[str, ...]


def wanted(
    searcher: tantivy.Searcher, searches: Sequence[Wanted], ids: Sequence[str]
) -> Iterator[tuple[str, str, int]]:
    """`(name of the search, id, version)` of those entries among `ids` that each search wants."""
    few = Few(searcher, ids)
    changed = {place(address): card(searcher.doc(address)) for address in few.addresses()}
    for one in searches:
        filters = Filters.of(SearchQuery(category=one.category))
        query = Builder(searcher).query(_understood(spoken(), one.query), filters)
        for where in _fitting(searcher, query, few):
            if entry := changed.get(where):
                yield one.name, entry["id"], entry["version"]


def _fitting(searcher: tantivy.Searcher, query: tantivy.Query, few: Few) -> Iterable[Place]:
    """Where the entries are that fit, with all of the `few` that do. Most searches fit so little
    that to look through it takes less than to ask for the few alone."""
    found = searcher.search(query, LOOKED_THROUGH)
    count: int = found.count  # type: ignore[attr-defined]  # the stubs leave it out
    if count > LOOKED_THROUGH:
        return few.values(query)
    return [place(address) for _, address in found.hits]


@functools.lru_cache(maxsize=SEARCHES_MAX)
def _understood(_language: str, q: str) -> Understood:
    """Searches are saved to come again."""
    return strictly(understand(q))


def read_as(q: str) -> str:
    """What an entry must hold to be wanted, in one line for a person."""
    return told(_understood(spoken(), q), understand(q).notes)


def asks_for_something(q: str) -> bool:
    """Whether a search asks for more than stop words, and not only for what an entry lacks."""
    asked = understand(q)
    return bool(asked.codes) or any(map(_tells, leaves(asked.root)))


def _tells(leaf: Node) -> bool:
    return not isinstance(leaf, Words) or bool(telling_words().analyze(leaf.text))


def strictly(asked: Understood) -> Understood:
    """`asked` with a need for one of its codes, or without codes for each of its words; of
    alternatives for one. A code that is one of them is no need."""
    root = asked.root
    codes = asked.firm[:CODES_MAX]  # the first: what no entry holds yet may come
    wanted = (Words((), codes),) if codes else (root,) if root.either else root.wanted
    alone = () if root.either and not codes else root.required
    # `S0C?` is a word and a pattern; the pattern is meant.
    meant = {Words(((node.text[:-1], 1),)) for node in wanted if isinstance(node, Pattern)}
    needs = (need for node in (*alone, *wanted) for need in _needs(node))
    required = tuple(need for need in needs if need not in meant)
    return Understood(Group((), required, root.excluded), codes)


def _needs(node: Node) -> Iterator[Node]:
    """What an entry must hold, all of it, to hold `node`."""
    match node:
        case Words(codes=()):
            yield from (Words(((stem, 1),)) for stem, _ in node.stems)
        case Words():
            yield Words((), node.codes)
        case Boosted():
            yield from _needs(node.node)
        case Group(either=True):
            either = tuple(Group((), tuple(_needs(one))) for one in node.wanted)
            yield Group(either, node.required, node.excluded)
        case Group():
            parts = (*node.required, *node.wanted)
            yield Group((), tuple(need for one in parts for need in _needs(one)), node.excluded)
        case _:
            yield node
