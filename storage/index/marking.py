"""What is marked as found in the texts and tags of a hit, by what was asked for."""

import bisect
import fnmatch
import html
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import takewhile

from storage.index.grammar import (
    Alike,
    Fuzzy,
    Keyword,
    Node,
    Pattern,
    Phrase,
    Synonyms,
    Understood,
    Words,
    leaves,
)
from storage.index.highlight import Fits, Highlighter
from storage.index.nearness import near
from storage.index.schema import key
from storage.index.text import stem

_BEGINNING = re.compile(r"[^*?]*")


class Marking:
    """Marks what one search looked for."""

    def __init__(self, asked: Understood) -> None:
        found = leaves(asked.root)
        stems = [word for leaf in found for word in _stems(leaf)]
        stems += [form for code in asked.codes for form in _forms(code)]
        patterns = [leaf.text for leaf in found if isinstance(leaf, Pattern)]
        signed = [text for text in patterns if not text.replace("*", "").isalnum()]
        codes = [_like(*signed)] if signed else []
        fits = [fits for leaf in found for fits in _fits(leaf)]
        if patterns:
            fits.append(_like(*patterns))
        self._texts = Highlighter(stems, fits, codes)
        tags = [leaf for leaf in found if isinstance(leaf, Keyword) and leaf.field == "tag"]
        self._tags = {value for leaf in tags if not leaf.prefix for value in leaf.values}
        self._beginnings = tuple(value for leaf in tags if leaf.prefix for value in leaf.values)

    def texts(self, texts: Iterable[str]) -> list[str | None]:
        """HTML of a piece of each text; None if nothing was found in it."""
        return self._texts.pieces(texts)

    def tags(self, tags: Collection[str]) -> dict[str, str]:
        """HTML of those tags in which something was found."""
        pieces = zip(tags, self._texts.pieces(tags), strict=True)
        marked = {tag: piece for tag, piece in pieces if piece}
        if self._tags or self._beginnings:
            marked |= {tag: f"<b>{html.escape(tag)}</b>" for tag in tags if self._wanted(key(tag))}
        return marked

    def _wanted(self, tag: str) -> bool:
        return tag in self._tags or tag.startswith(self._beginnings)


#: Codes whose number stands behind a word: FILE STATUS 35 and 035, RESP 13, abend 806, user 16.
_NUMBERED = re.compile(r"(?:fs|resp|[su]0*)([0-9a-f]+)")


def _forms(code: str) -> Iterator[str]:
    """The words as which a code may stand in a text."""
    for part in filter(None, code.strip("+-").split("-")):
        yield from (part, part.lstrip("0"), f"0x{part}")
        if match := _NUMBERED.fullmatch(part):
            yield from (match[1], f"0{match[1]}")


def _stems(leaf: Node) -> Iterator[str]:
    match leaf:
        case Words():
            yield from (word for word, _ in leaf.stems)
        case Phrase() | Alike():
            yield from leaf.stems
        case Synonyms():
            yield from (word for words in leaf.others for word in words)
        case Fuzzy():
            yield stem(leaf.text)


def _fits(leaf: Node) -> Iterator[Fits]:
    match leaf:
        case Fuzzy():
            yield partial(near, leaf.text, distance=leaf.distance)
        case Phrase(prefix=True):
            yield partial(_begins, leaf.stems[-1])


def _like(*patterns: str) -> Fits:
    """Whether a word or code fits a pattern, in a time that grows with their lengths alone."""
    fits = re.compile("|".join(map(fnmatch.translate, patterns))).match
    return lambda word: fits(word) is not None


def is_among(node: Pattern | Fuzzy, words: Sequence[str]) -> bool:
    """Whether one of the words, which are in order, was meant."""
    if isinstance(node, Fuzzy):
        return any(near(node.text, word, node.distance) for word in words)
    beginning, fits = _BEGINNING.match(node.text)[0], _like(node.text)  # type: ignore[index]  # it matches any
    after = words[bisect.bisect_left(words, beginning) :]
    return any(map(fits, takewhile(lambda word: word.startswith(beginning), after)))


def _begins(beginning: str, word: str) -> bool:
    return word.startswith(beginning) or stem(word).startswith(beginning)
