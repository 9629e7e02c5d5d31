"""Words of which some letters are left open or may be wrong: `ab?nd*`, `catalgo~2`."""

import re

from storage.index.codes import find_codes
from storage.index.grammar import Fuzzy, Pattern
from storage.index.text import folded

_FUZZY = re.compile(r"([^\W\d_]{3,40})~([12]?)")
_WILD = re.compile(r"\*|\?(?=\w)")
#: Letters and digits; with a digit also the signs that codes have.
_PATTERN = re.compile(r"[^\W_]{2}[^\W_*?]*[*?][^\W_*?]*[*?]?|[-+]?(?=\D{0,12}\d)[\w-]{2}[\w*?-]*")
_UNREAD = re.compile(r"\*|\?(?=\w)|(?<=\w)~(?=\d{0,3}$)|(?<=\w)\^(?=\w)|\^(?=[\d.]+$)")
#: `S0C?`, `IEF45?`: the beginning of a code. Behind other words a `?` ends a question.
_OPEN = re.compile(r"(?=\D*\d)(?:[A-Z][A-Z0-9]{1,7}|s[0-9a-f]{2})\?", re.ASCII)


def is_open(text: str) -> bool:
    """Whether the last sign of a word may stand for a letter: `S0C?`, but not `S0C7?`."""
    return _OPEN.fullmatch(text) is not None and not find_codes(text[:-1])


def opened(text: str, field: str = "text") -> Pattern:
    """The pattern that such a word is."""
    return Pattern(folded(text[:-1]) + "?", field)


def inexact(text: str, field: str = "text") -> Pattern | Fuzzy | None:
    """The word that `text` leaves open; None if it is none, or does not begin with two letters."""
    if match := _FUZZY.fullmatch(text):
        return Fuzzy(folded(match[1]), int(match[2] or 1), field)
    if field != "text" and is_open(text):
        return opened(text, field)
    wild = _WILD.search(text)
    if wild and _PATTERN.fullmatch(text):
        return Pattern(folded(text[: wild.start()]) + text[wild.start() :].lower(), field)
    return None


def unread(text: str) -> str:
    """The signs in a word that would have left something open or counted, had they been read."""
    return " ".join(dict.fromkeys(_UNREAD.findall(text))) if text.strip("*") else ""
