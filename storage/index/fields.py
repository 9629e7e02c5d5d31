"""The fields that a query can name, and how what stands after the colon is read."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import MAXYEAR, UTC, datetime, timedelta

from contracts.entries import Severity
from storage.index.grammar import Fuzzy, Keyword, Node, Phrase, Range, Words
from storage.index.inexact import inexact
from storage.index.schema import STATUSES, key, microseconds
from storage.index.text import every_word
from storage.index.typed import named_codes

#: The name in a query, the field of the index. Values compare whole; case makes no difference.
KEYWORDS = {
    "category": "within",
    "tag": "tag",
    "severity": "severity",
    "status": "status",
    "source": "source",
    "author": "author",
    "id": "name",
}
#: The other way round.
NAMED = {field: name for name, field in KEYWORDS.items()}
#: Of these there are no other values.
LISTED = {"status": STATUSES, "severity": tuple(Severity)}
TEXTS = ("title", "problem", "solution")
NUMBERS = ("usage", "success", "failure")
DATES = ("updated", "created")
NAMES = (*KEYWORDS, *TEXTS, *NUMBERS, *DATES, "code")

CODE = "code:"  # before what a field of codes asked for, where its words are kept
NUMBER_MAX = 2**53
_SPAN = re.compile(r"(.*?)\.\.(.*)")
_BRACKETS = re.compile(r"[\[{](\S+) TO (\S+)[\]}]")
_COMPARED = re.compile(r"(>=|<=|>|<)(.+)")
_DATE = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")
_DAY = timedelta(days=1)


def read(name: str, value: str, *, quoted: bool) -> Node | None:
    """What `name:value` asks for; None if that can't be what was meant."""
    if name in KEYWORDS:
        return _keyword(name, value, quoted=quoted)
    if name in (*TEXTS, "code") and not quoted and (word := inexact(value, name)):
        # No code is like another: what is misspelt is a word of the title.
        return replace(word, field="title") if (name, type(word)) == ("code", Fuzzy) else word
    if name == "code":
        codes = named_codes(value)
        return Words((), tuple(codes), f"{CODE}{value}") if codes else _word(value)
    if name in TEXTS:
        return _text(name, value)
    low_high = next(_bounds(name, value), None)
    return Range(name, *low_high) if low_high else None


def _keyword(name: str, value: str, *, quoted: bool) -> Node | None:
    value = key(value)
    prefix = not quoted and value.endswith("*")
    value = value[:-1] if prefix else value
    listed = LISTED.get(name)
    if not (value or prefix) or (listed and not prefix and value not in listed):
        return None
    return Keyword(KEYWORDS[name], (value,), prefix=prefix)


def _text(name: str, value: str) -> Node | None:
    stems = tuple(every_word().analyze(value.removesuffix("*")))
    return Phrase(stems, name, prefix=value.endswith("*")) if stems else None


def _word(value: str) -> Node | None:
    """A code of letters alone (`GE`) has no shape; in the title it is what an entry is about."""
    stems = tuple(every_word().analyze(value))
    return Phrase(stems, "title") if stems else None


def _bounds(name: str, value: str) -> Iterator[tuple[int | None, int | None]]:
    """Lowest and highest, both included; nothing if `value` has not that form."""
    first, after = (_moment, _moment_after) if name in DATES else (_number, _number_after)
    try:
        if match := _COMPARED.fullmatch(value):
            sign, bound = match.groups()
            if sign[0] == ">":
                yield (first(bound) if sign == ">=" else after(bound)), None
            else:
                yield None, (after(bound) - 1 if sign == "<=" else first(bound) - 1)
        elif match := _SPAN.fullmatch(value) or _BRACKETS.fullmatch(value):
            low, high = (None if end in ("", "*") else end for end in match.groups())
            least = after if value[0] == "{" else first
            most = first if value[-1] == "}" else after
            if low or high:
                yield least(low) if low else None, most(high) - 1 if high else None
        else:
            yield first(value), after(value) - 1
    except (ValueError, OverflowError):
        return


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return min(int(text[:20]), NUMBER_MAX)


def _number_after(text: str) -> int:
    return _number(text) + 1


def _moment(text: str) -> int:
    """The first microsecond of a year, month, day, or of a moment in ISO 8601 (UTC if silent)."""
    if match := _DATE.fullmatch(text):
        year, month, day = (int(part or 1) for part in match.groups())
        return microseconds(datetime(year, month, day, tzinfo=UTC))
    return microseconds(datetime.fromisoformat(text))


def _moment_after(text: str) -> int:
    """The first microsecond after it."""
    match = _DATE.fullmatch(text)
    if match is None:
        return _moment(text) + 1
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None
    if (year, month or 12, day or 31) == (MAXYEAR, 12, 31):
        return microseconds(datetime(MAXYEAR, 12, 31, tzinfo=UTC)) + _DAY // timedelta.resolution
    if day:
        return microseconds(datetime(year, month or 1, day, tzinfo=UTC) + _DAY)
    if month:
        year, month = year + month // 12, month % 12 + 1
        return microseconds(datetime(year, month, 1, tzinfo=UTC))
    return microseconds(datetime(year + 1, 1, 1, tzinfo=UTC))
