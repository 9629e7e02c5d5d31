"""How much of the index one search reads: what its wildcards stand for, and what is left out of it
where that would be too much.

It is counted in places: entries in the list of a word. What else takes time is counted as so many.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import tantivy

from storage.index.grammar import (
    Boosted,
    Fuzzy,
    Group,
    Keyword,
    Node,
    Pattern,
    Phrase,
    Range,
    Understood,
    Words,
    leaves,
)

T = TypeVar("T")

#: Places for all that one search asks the engine: about half a second.
READ_MAX = 30_000_000
EXPANDED_MAX = 1_000  # words that one pattern stands for: the most frequent
#: Places for an entry with a word, which is looked for as written, too; and with all of a phrase.
WORDED, PHRASED = 2, 15
#: Places for an entry with one of the many words that a wildcard stands for, and for each of these.
LISTED, TERMED = 4, 100
#: Times as many for what is looked for in titles, too, where it counts twice.
TITLED = 1.5
#: Places for each entry there is: a dictionary is gone through, by how many letters may differ, or
#: the values of a field.
MISSPELT, RANGED = {1: 1.0, 2: 4.0}, 0.25

#: Where words stand as they are written; of problem and solution the index keeps stems alone.
AS_WRITTEN = {
    "text": ("words", "codes"),
    "code": ("codes", "title_words"),
    "title": ("title_words",),
}

CUT = "shortened, as all of it would be too much to read"

Terms = list[tuple[str, int]]
#: A field, how words in it begin, and the pattern that they fit; "" is any.
_Place = tuple[str, str, str]


class Reading:
    """What one search reads of one commit. What was looked up is remembered."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher
        self._terms: dict[_Place, Terms] = {}
        #: What was cut.
        self.notes: list[str] = []

    def beginning_with(self, field: str, beginning: str) -> list[str]:
        """The terms of a field that begin so, the most frequent EXPANDED_MAX of them."""
        return [term for term, _ in self._looked_up((field, beginning, ""))]

    def like(self, field: str, pattern: str) -> list[str]:
        """Those of them that fit a pattern."""
        return [term for term, _ in self._looked_up(_like(field, pattern))]

    def affordable(self, asked: Understood, times: int) -> Understood:
        """`asked` cut so that the engine reads READ_MAX at most when it is asked so many times.

        What needs no more than its share is left as it is. Of words the rarest are kept, and of
        those that a wildcard stands for the most frequent.
        """
        found = [*leaves(asked.root), *leaves(asked.root, excluded=True)]
        room = READ_MAX // times
        if self._are_few_words(found, room):
            return asked
        costs = [self._cost(leaf) for leaf in found]
        if sum(costs) <= room:
            return asked
        share = _share(costs, room)
        root = _changed(asked.root, lambda leaf: self._cut(leaf, share))
        return Understood(root, asked.codes, asked.notes)

    def _are_few_words(self, found: Sequence[Node], room: int) -> bool:
        """Whether they would fit even if every entry held all of them: then none is looked up."""
        each = room / (WORDED * max(1, self._searcher.num_docs))
        return len(found) == 1 and isinstance(found[0], Words) and len(found[0].stems) <= each

    def _looked_up(self, place: _Place) -> Terms:
        if place not in self._terms:
            field, beginning, pattern = place
            found = self._searcher.terms_with_prefix(field, beginning, limit=EXPANDED_MAX + 1)
            if len(found) > EXPANDED_MAX:
                note = f"of the words in {beginning}* the {EXPANDED_MAX:,} most frequent"
                self.notes.append(note)
            # Which never goes back over a star.
            fits = re.compile(fnmatch.translate(pattern or "*")).match
            self._terms[place] = [pair for pair in found[:EXPANDED_MAX] if fits(pair[0])]
        return self._terms[place]

    def _cost(self, leaf: Node) -> float:
        """The places that are read where it is asked once."""
        match leaf:
            case Words():
                return WORDED * sum(map(self._often, (stem for stem, _ in leaf.stems)))
            case Phrase() if len(leaf.stems) > 1:
                return PHRASED * min(map(self._often, leaf.stems))
            case Fuzzy():
                return MISSPELT[leaf.distance] * self._searcher.num_docs
            case Range() | Keyword(any=True):
                return RANGED * self._searcher.num_docs
            case _:
                found = (one for at in _wild(leaf) for one in self._looked_up(at))
                return _titled(leaf) * sum(map(_listed, found))

    def _cut(self, leaf: Node, share: float) -> Node | None:
        """`leaf` as one that reads so much, if it can be; None for a phrase, which can't."""
        if self._cost(leaf) <= share:
            return leaf
        kept: Node | None = leaf
        if isinstance(leaf, Phrase) and len(leaf.stems) > 1:
            kept = None
        elif isinstance(leaf, Words):
            stems = sorted(leaf.stems, key=lambda pair: self._often(pair[0]))
            costs = [WORDED * self._often(stem) for stem, _ in stems]
            kept = Words(tuple(_fitting(stems, costs, share)) or (stems[0],), leaf.codes)
        elif isinstance(leaf, Fuzzy):
            kept = replace(leaf, distance=1)
        places = list(_wild(leaf))
        for place in places:
            terms, room = self._looked_up(place), share / len(places) / _titled(leaf)
            self._terms[place] = list(_fitting(terms, map(_listed, terms), room))
        if (places or kept != leaf) and CUT not in self.notes:
            self.notes.insert(0, CUT)
        return kept

    def _often(self, stem: str) -> int:
        return self._searcher.doc_freq("text", stem)


def _like(field: str, pattern: str) -> _Place:
    return field, re.split(r"[*?]", pattern, maxsplit=1)[0], pattern


def _wild(leaf: Node) -> Iterator[_Place]:
    """Where it is looked up which words are meant."""
    match leaf:
        case Pattern():
            yield from (_like(field, leaf.text) for field in as_written_in(leaf))
        case Keyword(prefix=True, any=False):
            yield from ((field, leaf.values[0], "") for field in named(leaf))
        case Phrase(prefix=True) if len(leaf.stems) == 1:
            yield leaf.field, leaf.stems[0], ""


def as_written_in(node: Pattern) -> tuple[str, ...]:
    """The fields whose words and codes are compared with it."""
    return AS_WRITTEN.get(node.field, ("words",))


def named(node: Keyword) -> tuple[str, ...]:
    """The fields that it is looked for in: an entry goes by its own id and that of its source."""
    return ("id", "name") if node.field == "name" else (node.field,)


def _share(costs: Iterable[float], room: float) -> float:
    """What each may cost, so that all fit: who needs less leaves the rest to the others."""
    rising = sorted(costs)
    for number, cost in enumerate(rising):
        if cost * (len(rising) - number) > room:
            return room / (len(rising) - number)
        room -= cost
    return room


def _titled(leaf: Node) -> float:
    return TITLED if isinstance(leaf, Pattern) and leaf.field == "text" else 1.0


def _listed(pair: tuple[str, int]) -> float:
    """What is read for one of the words that a wildcard stands for."""
    return TERMED + LISTED * pair[1]


def _fitting(found: Iterable[T], costs: Iterable[float], room: float) -> Iterator[T]:
    """Those that fit beside those before them."""
    for one, cost in zip(found, costs, strict=True):
        if cost <= room:
            room -= cost
            yield one


def _changed(group: Group, change: Callable[[Node], Node | None]) -> Group:
    """The same with other leaves. Alternatives may go, but for the last; conditions stay."""

    def changed(node: Node) -> Node | None:
        if isinstance(node, Boosted):
            inner = changed(node.node)
            return inner and Boosted(inner, node.factor)
        return _changed(node, change) if isinstance(node, Group) else change(node)

    wanted = tuple(other for node in group.wanted if (other := changed(node)))
    required, excluded = (
        tuple(changed(node) or node for node in nodes) for nodes in (group.required, group.excluded)
    )
    return Group(wanted or group.wanted[:1], required, excluded)
