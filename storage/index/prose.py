"""Tells the language's signs from the same signs in ordinary text.

`DATA SET NOT FOUND`, `CREATE OR REPLACE` and `a program (only this one)` were not written as
expressions, and whoever pastes them wants what holds those words.
"""

import re
from itertools import pairwise

from storage.index.lexer import Kind, Token

PROSE = 10  # words in one query from which on AND, OR and NOT need another sign beside them

_OPERATORS = {Kind.AND, Kind.OR, Kind.NOT}
_SIGNS = {Kind.FIELD, Kind.OPEN, Kind.SIGN}
_CAPITALS = re.compile(r"[^\W\d_]{2,}")


def meant(tokens: list[Token], notes: list[str]) -> list[Token]:
    """The tokens, those that are ordinary text turned into words; adds to `notes`."""
    read = _operators(tokens)
    if read != tokens:
        notes.append("AND, OR, NOT between capitals or in a long text were read as words")
    return read if _grouped(read) else [t for t in read if t.kind not in (Kind.OPEN, Kind.CLOSE)]


def _operators(tokens: list[Token]) -> list[Token]:
    if not any(token.kind in _OPERATORS for token in tokens):
        return tokens
    prose = len(tokens) >= PROSE and not any(token.kind in _SIGNS for token in tokens)
    return [
        token._replace(kind=Kind.WORD)
        if token.kind in _OPERATORS and (prose or _between_capitals(tokens, at))
        else token
        for at, token in enumerate(tokens)
    ]


def _between_capitals(tokens: list[Token], at: int) -> bool:
    """Words in capitals on both sides; at an end, on one."""
    beside = [tokens[place] for place in (at - 1, at + 1) if 0 <= place < len(tokens)]
    return bool(beside) and all(map(_capitals, beside))


def _capitals(token: Token) -> bool:
    if token.kind in _OPERATORS:
        return True
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
