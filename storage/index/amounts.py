"""Numbers and times in a pasted line: `0/1 CrashLoopBackOff 12 (2m ago) 40m` asks for one word.

Each of them stands in many entries, and together they would outweigh the word that tells.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from storage.index.grammar import Understood, Words
from storage.index.parser import PASTED
from storage.index.pasted import ADDRESS, is_copied
from storage.index.plain import words_of

AMOUNTS_MIN = 3  # in one query, from which on they may be left out; or one time with its seconds
#: Of its words they are this part at least: of a line, and of a pasted text.
OF_LINE, OF_TEXT = 1 / 3, 1 / 10
#: Dates, times of day, zones, `0/1`, ages such as `40m` and `3m11s`, and numbers of two digits.
_AMOUNT = re.compile(
    r"(?<![\w.,/:+-])(?:\d{4}[-/]\d\d[-/]\d\d(?:T[\d:.,]{5,18}Z?(?:[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}/(?:\d\d|[A-Z][a-z]{2})/\d{4}(?::\d\d:\d\d:\d\d)?"
    r"|\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[+-]\d\d:?\d\d)?|[+-]\d\d:?\d\d"
    r"|\d{1,2}/\d{1,2}|(?:\d{1,3}[dhms]){1,3}|\d{1,2})(?![\w/+-]|[.:]\w)"
)
#: In the line of a log, wherever they stand: `31#31`, `adj:0`, HTTP/1.1, and the seconds since a
#: start `[12.345678]`. Not in -80 and S0C7-04.
_NUMBER = re.compile(r"\[\s{0,9}\d{1,7}\.\d{1,9}\]|(?<![^\W_])(?<![+-])\d{1,2}(?![^\W_])")
_SECONDS = re.compile(r"\d:\d\d:\d\d")
#: The head of a table: `NAME   READY   STATUS   RESTARTS   AGE`.
_HEAD = re.compile(
    r"^[A-Z()-]{2,30}(?:(?:[ ]{2,40}|\t)[A-Z()-]{2,30}){3,20}[ ]{0,40}$", re.MULTILINE
)
_WORD = re.compile(r"\w+")


def without_amounts(asked: Understood, held: Callable[[str], int]) -> Understood:
    """`asked` without the numbers of its plain words, where they are many beside others that some
    entry holds. `held` tells how many entries hold a stem."""
    root = asked.root
    told = tuple(_telling(node, held) if isinstance(node, Words) else node for node in root.wanted)
    if told == root.wanted:
        return asked
    notes = (*asked.notes, "numbers and times were left out")
    return replace(asked, root=replace(root, wanted=told), notes=notes)


def _telling(run: Words, held: Callable[[str], int]) -> Words:
    copied = is_copied(run.text)
    if not (copied or _many(run.text)):
        return run
    text = _AMOUNT.sub(" ", _HEAD.sub(" ", run.text))
    rest = words_of(_NUMBER.sub(" ", ADDRESS.sub(" ", text)) if copied else text)
    if not any(held(stem) for stem, _ in rest.stems):
        return run
    # A program says `rss` three times without meaning it more.
    stems = tuple((stem, 1) for stem, _ in rest.stems) if copied else rest.stems
    return replace(rest, stems=stems, codes=run.codes)


def _many(text: str) -> bool:
    """Whether amounts are much of what it says."""
    amounts = _AMOUNT.findall(text)
    if not amounts or (len(amounts) < AMOUNTS_MIN and not any(map(_SECONDS.search, amounts))):
        return False
    pasted = "\n" in text or len(text) > PASTED
    part = len(_words(" ".join(amounts))) / len(_words(text))
    return part >= (OF_TEXT if pasted else OF_LINE)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
