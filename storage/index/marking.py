"""What is marked as found in the texts and tags of a hit, by what was asked for."""

import fnmatch
import html
import re
from collections.abc import Collection, Iterable, Iterator
from functools import partial

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


class Marking:
    """Marks what one search looked for."""

    def __init__(self, asked: Understood) -> None:
        found = leaves(asked.root)
        stems = [word for leaf in found for word in _stems(leaf)]
        stems += [part for code in asked.codes for part in code.strip("+-").split("-") if part]
        patterns = [leaf.text for leaf in found if isinstance(leaf, Pattern)]
        codes = [_like(text) for text in patterns if not text.replace("*", "").isalnum()]
        self._texts = Highlighter(stems, [fits for leaf in found for fits in _fits(leaf)], codes)
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
        case Pattern():
            yield _like(leaf.text)
        case Fuzzy():
            yield partial(near, leaf.text, distance=leaf.distance)
        case Phrase(prefix=True):
            yield partial(_begins, leaf.stems[-1])


def _like(pattern: str) -> Fits:
    """Whether a word or code fits a pattern, in a time that grows with their lengths alone."""
    fits = re.compile(fnmatch.translate(pattern)).match
    return lambda word: fits(word) is not None


def _begins(beginning: str, word: str) -> bool:
    return word.startswith(beginning) or stem(word).startswith(beginning)
