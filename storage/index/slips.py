"""Codes that are written nearly as one that entries hold: to ask about, never to search for.

Another digit makes another code. So only these are slips: the letter O for a zero, I or L for a
one, and a sign too few or too many. Signed numbers are left alone.
"""

import re
import string
from collections.abc import Callable, Iterator
from itertools import islice

from storage.index.codes import find_codes
from storage.index.grammar import Understood
from storage.index.text import clean

QUERY_LONGEST = 400  # characters: a pasted text is not asked about
LOOKED_AT_MAX = 8  # words of one query
LENGTH_MIN, LENGTH_MAX = 4, 20  # characters of a code
_WORD = re.compile(r"(?<![\w+.-])\w+(?:-\w+)*(?![\w-])", re.ASCII)
_DIGIT = re.compile(r"\d")
_SHAPE = re.compile(r"(?=[a-z-]*[0-9])(?=[0-9-]*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*|[0-9]{7,8}")
_HEX = "0x"
_ALIKE = {"o": "0", "0": "o", "i": "1", "l": "1", "1": "il"}

#: How many entries hold a code, or a word.
Held = Callable[[str], int]


def asking(q: str, asked: Understood, code: Held, word: Held) -> dict[str, str]:
    """Words of a query that look like codes no entry holds, and the code that each may mean.

    None beside a code that entries hold: it is what was asked for.
    """
    if len(q) > QUERY_LONGEST or not _DIGIT.search(q) or any(map(code, asked.codes)):
        return {}
    unheld = (one for one in dict.fromkeys(_WORD.findall(clean(q))) if _is_unheld(one, code, word))
    return {one: nearest for one in islice(unheld, LOOKED_AT_MAX) if (nearest := _near(one, code))}


def corrected(q: str, better: dict[str, str]) -> str:
    """`q` with other words in place of these."""
    return _WORD.sub(lambda match: better.get(match[0], match[0]), clean(q))


def _is_unheld(one: str, code: Held, word: Held) -> bool:
    plain = one.lower().removeprefix(_HEX)
    shaped = LENGTH_MIN <= len(plain) <= LENGTH_MAX and _SHAPE.fullmatch(plain)
    return bool(shaped) and not (word(plain) or any(map(code, find_codes(one))))


def _near(one: str, code: Held) -> str | None:
    """The code that is meant, as it would be written: of the likeliest slip, held most often."""
    prefix = _HEX if one.lower().startswith(_HEX) else ""
    plain = one.lower().removeprefix(_HEX)
    for kind in (_alike, _ended, _cut, _lacking, _doubled):
        held = {
            variant: often for variant in dict.fromkeys(kind(plain)) if (often := code(variant))
        }
        if held:
            nearest = max(held, key=held.__getitem__)
            return prefix + (nearest.upper() if one.isupper() or prefix else nearest)
    return None


def _alike(plain: str) -> Iterator[str]:
    yield plain.replace("o", "0")
    for at, sign in enumerate(plain):
        yield from (plain[:at] + other + plain[at + 1 :] for other in _ALIKE.get(sign, ""))


def _ended(plain: str) -> Iterator[str]:
    yield from (plain + letter for letter in string.ascii_lowercase)


def _cut(plain: str) -> Iterator[str]:
    yield plain[:-1]


def _lacking(plain: str) -> Iterator[str]:
    for at in range(1, len(plain) + 1):
        yield from (plain[:at] + digit + plain[at:] for digit in string.digits)


def _doubled(plain: str) -> Iterator[str]:
    yield from (plain[:at] + plain[at + 1 :] for at in range(1, len(plain)))
