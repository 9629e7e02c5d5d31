"""Tells phrases that somebody asks for from quotes in ordinary text.

`connection to server at "db" failed: FATAL: ...` was copied, and the entry for that message knows
nothing of the server.
"""

from storage.index.lexer import OPERATORS, Kind, Token
from storage.index.prose import PROSE

BESIDE = 4  # words from which on one word in quotes beside them is no more than a word

_WRITTEN = {*OPERATORS.values(), Kind.FIELD, Kind.SIGN, Kind.OPEN, Kind.BOOST}


def unquoted(tokens: list[Token], notes: list[str]) -> list[Token]:
    """The tokens, quotes that are ordinary text as if glued to a word; adds to `notes`."""
    if Kind.QUOTE not in [token.kind for token in tokens] or any(map(_is_written, tokens)):
        return tokens
    words = [token.text for token in tokens if token.kind is Kind.WORD]
    printed = len(tokens) >= PROSE or any(word.endswith(":") for word in words)
    beside = sum(any(map(str.isalnum, word)) for word in words)

    def is_text(token: Token) -> bool:
        a_word = beside >= BESIDE and len(token.text.split()) == 1
        return token.kind is Kind.QUOTE and beside > 0 and (printed or a_word)

    read = [token._replace(glued=True) if is_text(token) else token for token in tokens]
    if read != tokens:
        notes.append("quotes in a text were left out")
    return read


def _is_written(token: Token) -> bool:
    """Whether only somebody who writes a query writes this."""
    return token.kind in _WRITTEN or (token.kind is Kind.QUOTE and token.text.endswith("*"))
