"""The piece of a text that shows why it was found, with the words marked."""

import bisect
import html
import re
from collections.abc import Iterable

from storage.index.text import stem

PIECE_MAX = 200  # characters
BEFORE = 40  # characters shown before the first word that was found
FOUND_MAX = 200  # places looked at in one text

_WORD = re.compile(r"[^\W_]+")


class Highlighter:
    """Marks the words of one search; `stems` are words as they are indexed."""

    def __init__(self, stems: Iterable[str]) -> None:
        self._stems = frozenset(stems)
        # A stem begins like its words, up to its last letter (`happi`, `hope`): looking for these
        # beginnings first spares most words the stemming.
        starts = "|".join(sorted({re.escape(s[: max(2, len(s) - 1)]) for s in self._stems}))
        self._likely = re.compile(rf"(?<![^\W_])(?:{starts})[^\W_]*", re.IGNORECASE)

    def piece(self, text: str) -> str | None:
        """HTML with `<b>` of up to PIECE_MAX characters of `text`; None if no word is in it."""
        if not self._stems:
            return None
        pattern = self._likely if text.isascii() else _WORD
        found: list[tuple[int, int, str]] = []
        for match in pattern.finditer(text):
            if (word := stem(match[0])) in self._stems:
                found.append((*match.span(), word))
                if len(found) == FOUND_MAX:
                    break
        return _mark(text, found) if found else None


def _mark(text: str, found: list[tuple[int, int, str]]) -> str:
    """Mark what was found in the piece that holds the most different words, the first of such."""
    starts = [start for start, _, _ in found]

    def different(first: int) -> int:
        last = bisect.bisect_left(starts, starts[first] + PIECE_MAX - BEFORE)
        return len({word for _, _, word in found[first:last]})

    best = max(range(len(found)), key=lambda first: (different(first), -first))
    begin = _word_start(text, max(0, starts[best] - BEFORE), starts[best])
    end = begin + PIECE_MAX
    if end < len(text):
        space = text.rfind(" ", starts[best], end)
        end = space if space > found[best][1] else end
    parts, at = [], begin
    for start, stop, _ in found[best:] if begin == starts[best] else found:
        if start >= begin and stop <= end:
            parts += [html.escape(text[at:start]), "<b>", html.escape(text[start:stop]), "</b>"]
            at = stop
    return "".join(parts) + html.escape(text[at:end])


def _word_start(text: str, at: int, limit: int) -> int:
    """The first beginning of a word from `at` on; `limit` is one for sure."""
    if at == 0 or text[at - 1].isspace():
        return at
    space = text.find(" ", at, limit)
    return space + 1 if space >= 0 else limit
