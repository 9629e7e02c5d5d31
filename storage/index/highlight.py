"""The piece of a text that shows why it was found, with the words marked."""

import bisect
import html
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, count
from operator import add

from storage.index.text import folded, stem

PIECE_MAX = 200  # characters
BEFORE = 40  # characters shown before the first word that was found
FOUND_MAX = 100  # places looked at in one text

#: What is no letter or digit, to spaces: for ASCII, and in a tenth of the speed for all else.
_SPACES = bytes(code if chr(code).isalnum() else ord(" ") for code in range(256))
_NO_WORD = re.compile(r"[\W_]")
_CODE = re.compile(r"[+-]?\w+(?:-\w+)*")
_SPECIAL = re.compile("[&<>\"']")
_Place = tuple[int, int, str]
#: Whether a word, as written but in lower case and without accents, was meant.
Fits = Callable[[str], bool]


class Highlighter:
    """Marks the words of one search.

    `stems` are words as they are indexed; `fits` tell of others by what they look like, and
    `code_fits` of codes, which may hold hyphens.
    """

    def __init__(
        self,
        stems: Iterable[str],
        fits: Iterable[Fits] = (),
        code_fits: Iterable[Fits] = (),
    ) -> None:
        self._stems = frozenset(stems)
        self._fits = tuple(fits)
        self._code_fits = tuple(code_fits)
        # English stems begin as their words do: this spares most words the stemming.
        self._beginnings = tuple({found[:2] for found in self._stems})

    def pieces(self, texts: Iterable[str]) -> list[str | None]:
        """Of each text HTML with `<b>` of up to PIECE_MAX characters; None if no word is in it.

        Texts have most of their words in common: each is looked at once.
        """
        split = [(text, _split(text)) for text in texts]
        searched = self._searched(set[str]().union(*(words for _, words in split)) - {""})
        return [self._piece(text, words, searched) for text, words in split]

    def _piece(self, text: str, words: list[str], searched: dict[str, str]) -> str | None:
        found = [] if searched.keys().isdisjoint(words) else list(_places(words, searched))
        if self._code_fits:
            found = sorted([*found, *_codes(_lower(text), self._code_fits)])
        return _mark(text, found[:FOUND_MAX]) if found else None

    def _searched(self, words: set[str]) -> dict[str, str]:
        """Those of the words that were searched, and as what."""
        beginnings = self._beginnings
        stemmed = (word for word in words if word.startswith(beginnings) or not word.isascii())
        found = {word: found for word in stemmed if (found := stem(word)) in self._stems}
        for word in words - found.keys() if self._fits else ():
            plain = folded(word)
            if any(fits(plain) for fits in self._fits):
                found[word] = word
        return found


def seen(text: str) -> set[str]:
    """The words of a text, without accents, and what may be its codes."""
    return {*map(folded, _split(text)), *_CODE.findall(_lower(text))}


def _lower(text: str) -> str:
    lower = text.lower()
    return lower if len(lower) == len(text) else text  # a few letters grow; places must stay


def _split(text: str) -> list[str]:
    """The words of a text in lower case; for each further sign between them one that is empty."""
    lower = _lower(text)
    if lower.isascii():
        return lower.encode().translate(_SPACES).decode().split(" ")
    return _NO_WORD.sub(" ", lower).split(" ")


def _places(words: list[str], searched: dict[str, str]) -> Iterator[_Place]:
    """Where the words that were searched begin and end."""
    ends = map(add, accumulate(map(len, words)), count())
    for word, end in zip(words, ends, strict=False):
        if word in searched:
            yield end - len(word), end, searched[word]


def _codes(text: str, fits: Iterable[Fits]) -> Iterator[_Place]:
    for match in _CODE.finditer(text):
        if any(fit(match[0]) for fit in fits):
            yield match.start(), match.end(), match[0]


def _mark(text: str, found: list[_Place]) -> str:
    """Mark what was found in the piece that holds the most different words."""
    first, last, _ = found[_richest(found)]
    begin = _word_start(text, max(0, first - BEFORE), first)
    end = min(len(text), begin + PIECE_MAX)
    if end < len(text):
        end = max(last, text.rfind(" ", begin, end))
    end = min(end, begin + PIECE_MAX)
    escape = html.escape if _SPECIAL.search(text, begin, end) else str
    parts, at = [], begin
    for start, stop, _ in found:
        if at <= start and stop <= end:
            parts += [escape(text[at:start]), "<b>", escape(text[start:stop]), "</b>"]
            at = stop
    return "".join(parts) + escape(text[at:end])


def _richest(found: list[_Place]) -> int:
    """The first place after which a piece shows as many different words as anywhere."""
    starts = [start for start, _, _ in found]
    words = [word for _, _, word in found]
    there = len(set(words))
    best = most = 0
    for first, start in enumerate(starts):
        if most == there:  # no other place shows more
            break
        after = bisect.bisect_left(starts, start + PIECE_MAX - BEFORE)
        different = len(set(words[first:after]))
        if different > most:
            best, most = first, different
    return best


def _word_start(text: str, at: int, limit: int) -> int:
    """The first beginning of a word from `at` on; at `limit` there is one."""
    if at == 0 or text[at - 1].isspace():
        return at
    space = text.find(" ", at, limit)
    return space + 1 if space >= 0 else limit
