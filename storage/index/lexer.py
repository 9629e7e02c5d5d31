"""Cuts a query into what the parser reads. Never fails: what is no sign of ours is a word."""

import re
from enum import Enum, auto
from typing import NamedTuple

from storage.index.fields import NAMES


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    QUOTE = auto()  # what stood between the quotes; with `*` if the last word is a beginning
    FIELD = auto()  # the name before a colon
    SIGN = auto()  # - or +
    BOOST = auto()  # what stood behind ^, be it a number or not quite one
    OPEN = auto()
    CLOSE = auto()
    AND = auto()
    OR = auto()
    NOT = auto()


class Token(NamedTuple):
    """A piece of a query; `glued` to the word or phrase before it, without a space."""

    kind: Kind
    text: str
    glued: bool = False


_CURLY_QUOTES = str.maketrans("“”„", '"""')
_FIELD = re.compile(rf"({'|'.join(NAMES)}):(?=[^\s:])", re.IGNORECASE)
_RANGE = re.compile(r"[\[{][^\s\]}]{1,40} TO [^\s\]}]{1,40}[\]}]")
_FACTOR = r"[-+.\d][-+.\d^e]{0,20}"
#: What a sign excludes or demands: a word that begins with a letter and has two signs at least.
#: `-805` is a code; `-v`, `-O2` and `-Xmx512m` are options somebody pasted.
_OPTION = r"(?-i:X[a-z]{1,9}\d)|(?![bde]37)[^\W\d_]\d{1,2}(?![\w.#@$?*-])"
_NAME = rf"(?!{_OPTION})[^\W\d_][\w.#@$?*-]{{0,98}}[\w*](?:~\d?)?(?:\^{_FACTOR})?(?=[\s)]|$)"
_SIGN = re.compile(rf'([-+])(?=["(]|{_FIELD.pattern}|{_NAME})|!(?={_NAME}|\()', re.IGNORECASE)
_QUOTE = re.compile(r'"([^"]*)"(\*?)')
_WORD = re.compile(r'[^\s"]+')
_BOOST = re.compile(rf"\^({_FACTOR})(?=[\s)]|$)")
OPERATORS = {
    **{"AND": Kind.AND, "&&": Kind.AND},
    **{"OR": Kind.OR, "||": Kind.OR},
    "NOT": Kind.NOT,
}


def lex(text: str) -> list[Token]:
    """The tokens of `text`, in order; spaces and quotes without an end are left out."""
    text = text.translate(_CURLY_QUOTES)
    tokens: list[Token] = []
    at = depth = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        begins = at == 0 or text[at - 1].isspace() or text[at - 1] in "(-+!:"
        token, end = _next(text, at, begins, depth)
        if token:
            depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)
            tokens.append(token)
        at = end
    return tokens


def _next(text: str, at: int, begins: bool, depth: int) -> tuple[Token | None, int]:
    if found := _QUOTE.match(text, at):
        return Token(Kind.QUOTE, found[1] + found[2], glued=not begins), found.end()
    if text[at] == '"':
        return None, at + 1
    if found := _BOOST.match(text, at):
        return Token(Kind.BOOST, found[1]), found.end()
    if text[at] == ")" and depth:
        return Token(Kind.CLOSE, ")"), at + 1
    if begins:
        if text[at] == "(":
            return Token(Kind.OPEN, "("), at + 1
        if text[at - 1 : at] != ":" and (found := _SIGN.match(text, at)):
            return Token(Kind.SIGN, "+" if found[1] == "+" else "-"), found.end()
        if found := _FIELD.match(text, at):
            return Token(Kind.FIELD, found[1].lower()), found.end()
        if found := _RANGE.match(text, at):
            return Token(Kind.WORD, found[0]), found.end()
    token, end = _word(text, at, depth)
    return token._replace(glued=text[at - 1 : at] == '"'), end


def _word(text: str, at: int, depth: int) -> tuple[Token, int]:
    found = _WORD.match(text, at)
    assert found  # neither a space nor a quote
    word = found[0]
    boost = _BOOST.search(word)
    if boost and boost.start():
        word = word[: boost.start()]
    if depth:  # the parentheses that close what was opened before this word
        while word.endswith(")") and word.count(")") > word.count("("):
            word = word[:-1]
    return Token(OPERATORS.get(word, Kind.WORD), word), at + len(word)
