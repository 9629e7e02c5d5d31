"""Numbers and times in a pasted line: `0/1 CrashLoopBackOff 12 (2m ago) 40m` asks for one word.

Each of them stands in many entries, and together they would outweigh the word that tells.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from storage.index.grammar import Understood, Words
from storage.index.plain import words_of

AMOUNTS_MIN = 3  # in one query, from which on they may be left out; or one time with its seconds
#: Of its words they are this part at least: of a line, and of a pasted text.
OF_LINE, OF_TEXT = 1 / 3, 1 / 10
LINE_MAX = 400  # characters
#: Dates, times of day, zones, `0/1`, ages such as `40m` and `3m11s`, and numbers of two digits.
_AMOUNT = re.compile(
    r"(?<![\w.,/:+-])(?:\d{4}-\d\d-\d\d(?:T[\d:.,]{5,18}Z?(?:[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}/(?:\d\d|[A-Z][a-z]{2})/\d{4}(?::\d\d:\d\d:\d\d)?"
    r"|\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[+-]\d\d:?\d\d)?|[+-]\d\d:?\d\d"
    r"|\d{1,2}/\d{1,2}|(?:\d{1,3}[dhms]){1,3}|\d{1,2})(?![\w/+-]|[.:]\w)"
)
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
    amounts = _AMOUNT.findall(run.text)
    if not amounts or (len(amounts) < AMOUNTS_MIN and not any(map(_SECONDS.search, amounts))):
        return run
    pasted = "\n" in run.text or len(run.text) > LINE_MAX
    part = len(_words(" ".join(amounts))) / len(_words(run.text))
    if part < (OF_TEXT if pasted else OF_LINE):
        return run
    rest = words_of(_AMOUNT.sub(" ", _HEAD.sub(" ", run.text)))
    return replace(rest, codes=run.codes) if any(held(stem) for stem, _ in rest.stems) else run


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
