"""Adds to a query what its writer would have written, had they known the words of the index.

Nothing is taken away, and what was written counts more.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from storage.index.codes import find_codes
from storage.index.grammar import (
    Alike,
    Group,
    Node,
    Phrase,
    Synonyms,
    Understood,
    Words,
    leaves,
)
from storage.index.text import clean, every_word, folded, stem, written_words

SYNONYMS_MAX = 16  # sets of synonyms that one query takes in
NAME_MAX = 8  # letters of a word that may be a code when it is in capitals
ALIKE_MAX = 8  # misspelt words of one query that are guessed at
#: A word that so few entries hold may be misspelt in them, if so many times more hold one like it.
SELDOM, FAR_MORE = 1, 20
LOOKED_UP_MAX = 64  # words of one query that may be misspelt

Near = Callable[[str], Sequence[str]]
_WORD = re.compile(r"[^\W\d_]+")
_CODE_FIELD = re.compile(r"\bcode:\S+", re.IGNORECASE)


class Meaning(NamedTuple):
    """Words that mean the same, each one or more stems, with the codes that they are; in one
    category, or everywhere."""

    ways: dict[tuple[str, ...], tuple[str, ...]]
    category: str = ""


class Thesaurus:
    """Meanings, found by the first stem of each of their ways."""

    def __init__(self, sets: Sequence[tuple[str, Sequence[str]]] = ()) -> None:
        """Of `(category, words or phrases)`; an empty category is everywhere."""
        self._by_first: dict[str, list[tuple[tuple[str, ...], Meaning]]] = {}
        for category, texts in sets:
            ways = {
                stems: tuple(find_codes(text))
                for text in map(clean, texts)
                if (stems := tuple(every_word().analyze(text)))
            }
            meaning = Meaning(ways, category)
            if len(meaning.ways) > 1:
                for way in meaning.ways:
                    self._by_first.setdefault(way[0], []).append((way, meaning))

    def __bool__(self) -> bool:
        """Whether anything means the same as anything."""
        return bool(self._by_first)

    def said(self, text: str) -> Iterator[Synonyms]:
        """What means the same as something in `text`."""
        if not self:
            return
        stems = every_word().analyze(text)
        for place, first in enumerate(stems):
            for way, meaning in self._by_first.get(first, ()):
                if tuple(stems[place : place + len(way)]) == way:
                    others = tuple(other for other in meaning.ways if other != way)
                    codes = tuple(code for other in others for code in meaning.ways[other])
                    yield Synonyms(way, others, meaning.category, codes)


def forgiving(
    asked: Understood, unknown: Callable[[str], bool], near: Near, thesaurus: Thesaurus
) -> Understood:
    """`asked` with synonyms, and with the nearest words of the index for those it does not have.

    `unknown` tells whether no entry holds a stem, `near` gives the words that are spelt most like
    one.
    """
    root = asked.root
    runs = [node for node in root.wanted if isinstance(node, Words)]
    more: list[Node] = []
    for run in runs:
        more += dict.fromkeys(thesaurus.said(run.text))
        more += _alike(run, unknown, near)
    if not more:
        return asked
    bound = (SYNONYMS_MAX, ALIKE_MAX)
    kept = [
        node
        for kind, most in zip((Synonyms, Alike), bound, strict=True)
        for node in [node for node in more if isinstance(node, kind)][:most]
    ]
    return Understood(
        Group((*root.wanted, *kept), root.required, root.excluded), asked.codes, asked.notes
    )


def _alike(run: Words, unknown: Callable[[str], bool], near: Near) -> Iterator[Alike]:
    """Guesses. A short word in capitals is a name or a code (`NOTFND`), and none is made at it."""
    names, stems = _names(run.text), dict(run.stems)
    for word in islice(dict.fromkeys(written_words(run.text)), LOOKED_UP_MAX):
        guess = word not in names and stem(word) in stems and unknown(stem(word))
        if guess and (found := near(word)):
            yield Alike(word, tuple(dict.fromkeys(map(stem, found))), found[0])


def _names(text: str) -> set[str]:
    return {
        folded(word) for word in _WORD.findall(text) if len(word) <= NAME_MAX and word.isupper()
    }


def meant(q: str, asked: Understood, held: Callable[[str], int], near: Near) -> str | None:
    """The query with its misspelt words as they may have been meant; None if none was misspelt.

    `held` tells how many entries hold a stem. Beside words that none does, those may be misspelt
    that few hold, where one that is spelt nearly so is in far more; wherever they stand.
    """
    better = {node.meant: node.spelt for node in asked.root.wanted if isinstance(node, Alike)}
    better |= _seldom_so(q, asked, held, near)
    if not better:
        return None
    return _WORD.sub(lambda match: better.get(folded(match[0]), match[0]), clean(q))


def _seldom_so(
    q: str, asked: Understood, held: Callable[[str], int], near: Near
) -> Iterator[tuple[str, str]]:
    """Words that are seldom spelt as in the query, and how the like of them mostly is."""
    seldom = {one: often for one in set(_asked_for(asked)) if (often := held(one)) <= SELDOM}
    if not seldom:  # as in most searches, which need no second look at their words
        return
    guessed = {node.meant for node in asked.root.wanted if isinstance(node, Alike)}
    spared, looked_at = _names(q) | guessed, 0
    words = dict.fromkeys(written_words(_CODE_FIELD.sub(" ", clean(q))))
    for word in islice(words, LOOKED_UP_MAX):
        own = stem(word)
        if word in spared or own not in seldom:
            continue
        likes = [(held(stem(like)), like) for like in near(word) if stem(like) != own]
        if likes and max(likes)[0] > FAR_MORE * seldom[own]:
            yield word, max(likes)[1]
        looked_at += 1
        if looked_at == ALIKE_MAX:
            return


def _asked_for(asked: Understood) -> Iterator[str]:
    """The stems of words and phrases."""
    for leaf in leaves(asked.root):
        if isinstance(leaf, Words):
            yield from (word for word, _ in leaf.stems)
        elif isinstance(leaf, Phrase):
            yield from leaf.stems[: -1 if leaf.prefix else None]
