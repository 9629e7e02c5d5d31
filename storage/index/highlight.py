"""The piece of a text that shows why it was found, with the words marked."""

import bisect
import html
import re
from collections.abc import Callable, Iterable, Iterator

from storage.index.text import folded, stem, written_words

PIECE_MAX = 200  # characters
BEFORE = 40  # characters shown before the first word that was found
FOUND_MAX = 100  # places looked at in one text

_WORD = re.compile(r"[^\W_]+")
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
        # Hits have most of their words in common: each is looked at once.
        self._seen: set[str] = set()
        self._searched: dict[str, str] = {}

    def piece(self, text: str) -> str | None:
        """HTML with `<b>` of up to PIECE_MAX characters of `text`; None if no word is in it."""
        if not text:
            return None
        lower = text.lower()
        if len(lower) != len(text):  # a few letters grow in lower case; places must stay
            lower = text
        found = [
            place
            for word, searched in self._words(lower)
            for place in _places(lower, word, searched)
        ]
        if self._code_fits:
            found += _codes(lower, self._code_fits)
        return _mark(text, sorted(found)[:FOUND_MAX]) if found else None

    def _words(self, text: str) -> Iterator[tuple[str, str]]:
        """The words of `text` that were searched, and as what."""
        # The pattern takes six times as long, and is needed for other letters than ASCII's.
        ascii_only = text.isascii()
        words = set(written_words(text) if ascii_only else _WORD.findall(text))
        fresh = words - self._seen
        self._seen |= fresh
        if ascii_only and not self._fits:
            fresh = {word for word in fresh if word.startswith(self._beginnings)}
        for word in fresh:
            if searched := self._what(word):
                self._searched[word] = searched
        return ((word, self._searched[word]) for word in words & self._searched.keys())

    def _what(self, word: str) -> str | None:
        """As what a word was searched; None if it was not."""
        if word.startswith(self._beginnings) or not word.isascii():
            found = stem(word)
            if found in self._stems:
                return found
        if self._fits:
            plain = folded(word)
            return word if any(fits(plain) for fits in self._fits) else None
        return None


def _places(text: str, word: str, searched: str) -> Iterator[_Place]:
    """Where `word` stands by itself; compiling a pattern for it would take longer."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            yield at, end, searched
        at = text.find(word, end)


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
