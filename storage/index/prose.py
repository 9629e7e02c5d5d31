"""Tells the language's signs from the same signs in ordinary text.

`DATA SET NOT FOUND`, `CREATE OR REPLACE`, `java -jar app.jar -v` and `a program (only this one)`
were not written as expressions, and whoever pastes them wants what holds those words.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from storage.index.codes import find_codes, is_message
from storage.index.lexer import OPERATORS, Kind, Token

PROSE = 10  # words in one query from which on AND, OR, NOT and -word need another sign beside them
SHOWN = 3  # of the words that were read with their signs

_OPERATORS = {*OPERATORS.values()}
_SIGNS = {Kind.FIELD, Kind.OPEN, Kind.SIGN}
_CAPITALS = re.compile(r"[^\W\d_]{2,}")
#: `-word` that no sign of ours stands before: it would be one if it were no option or name.
_SIGNED = re.compile(r"[-+!][^\W\d_]")
#: `--verbose`, `-v`, `-O2`, `-Xmx512m`, `-Dname=value`: what stands in command lines.
_OPTION = re.compile(r"--[^\W\d_]|-(?:X[a-z]+\d|[^\W\d_](?:\d{0,2}\W*$|[^\s=:/]*[=:/]))")


def meant(tokens: list[Token], notes: list[str]) -> list[Token]:
    """The tokens, those that are ordinary text turned into words; adds to `notes`."""
    tokens = _signs(tokens, notes)
    read = _operators(tokens)
    if read != tokens:
        notes.append("AND, OR, NOT between capitals or in a long text were read as words")
    return read if _grouped(read) else [t for t in read if t.kind not in (Kind.OPEN, Kind.CLOSE)]


def _signs(tokens: list[Token], notes: list[str]) -> list[Token]:
    """Words keep their signs in a long text, in a command line and in a line of a console."""
    text = _long(tokens) or any(t.kind is Kind.WORD and _OPTION.match(t.text) for t in tokens)
    read: list[Token] = []
    for at, token in enumerate(tokens):
        sign = tokens[at - 1] if at else token
        signs = sign.kind is Kind.SIGN and token.kind is Kind.WORD
        if signs and (text or _of_console(tokens, at)):
            read[-1] = token._replace(text=sign.text + token.text)
        else:
            read.append(token)
    kept = [
        t.text[:40].rstrip(",;.") for t in read if t.kind is Kind.WORD and _SIGNED.match(t.text)
    ]
    if kept:
        notes.append(f"signs read as text: {', '.join(kept[:SHOWN])}")
    return read


def _long(tokens: list[Token]) -> bool:
    kinds = [token.kind for token in tokens if token.kind is not Kind.SIGN]
    return len(kinds) >= PROSE and not {*kinds} & {*_OPERATORS, Kind.FIELD, Kind.OPEN}


def _of_console(tokens: list[Token], at: int) -> bool:
    """A message's id with a sign before it, as programs write it (`+DFHSI1517 CICSA IS ...`), or
    after such an id the name of who sent it (`DSNT376I -DB2P PLAN=...`)."""
    word = tokens[at].text
    if _message(word):
        return at + 2 < len(tokens) and (at == 1 or tokens[at - 1].text == "+")
    named = word.isupper() and word.isalnum() and not find_codes(word)
    return named and any(_message(token.text) for token in tokens[:at])


def _message(word: str) -> bool:
    return word.isupper() and is_message(word.lower())


def _operators(tokens: list[Token]) -> list[Token]:
    if not any(token.kind in _OPERATORS for token in tokens):
        return tokens
    prose = len(tokens) >= PROSE and not any(token.kind in _SIGNS for token in tokens)
    values = set(_values(tokens))
    return [
        token._replace(kind=Kind.WORD)
        if token.kind in _OPERATORS and (prose or _between_capitals(tokens, at, values))
        else token
        for at, token in enumerate(tokens)
    ]


def _between_capitals(tokens: list[Token], at: int, values: set[int]) -> bool:
    """Words in capitals on both sides of what may be several operators; at an end, on one. The
    values of fields are no ordinary words."""
    first = last = at
    while first >= 0 and tokens[first].kind in _OPERATORS:
        first -= 1
    while last < len(tokens) and tokens[last].kind in _OPERATORS:
        last += 1
    beside = [place for place in (first, last) if 0 <= place < len(tokens)]
    return bool(beside) and all(_capitals(tokens[one]) and one not in values for one in beside)


def _values(tokens: list[Token]) -> Iterator[int]:
    """Where the values of fields stand, with all that is in parentheses there."""
    depth = 0
    for at, (name, token) in enumerate(pairwise(tokens), 1):
        if depth or name.kind is Kind.FIELD:
            yield at
            depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)


def _capitals(token: Token) -> bool:
    return (
        token.kind is Kind.WORD
        and token.text.isupper()
        and _CAPITALS.fullmatch(token.text) is not None
    )


def _grouped(tokens: list[Token]) -> bool:
    """Whether parentheses do more than set something apart."""
    return any(
        token.kind in _OPERATORS
        or (token.kind in (Kind.SIGN, Kind.FIELD) and after.kind is Kind.OPEN)
        or (token.kind is Kind.CLOSE and after.kind is Kind.BOOST)
        for token, after in pairwise([*tokens, Token(Kind.WORD, "")])
    )
