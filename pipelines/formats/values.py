"""Where the values of a JSON text begin and end: rows cut out of arrays of any length.

Nothing is parsed here beyond brackets and strings. So memory is bounded by one row, a row that is
wrong inside is a reject of its own, and one that is too long is passed over.
"""

import re
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from contracts.imports import REJECT_ROW_BYTES, ROW_BYTES

PIECE = 64 * 1024  # bytes read at once
LONGEST = 2 * ROW_BYTES  # bytes: what JSON escapes may shrink to fit a row

STRING = rb'"(?:[^"\\]++|\\.)*+"'
#: A whole string, or what else opens and closes something; a lone quote is a string that goes on.
TOKEN = re.compile(STRING + rb'|["{}\[\]]', re.DOTALL)
STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
SCALAR = re.compile(rb'[^\s,:\]}\[{"]*+')
SPACE = re.compile(rb"[ \t\r\n]*+")
QUOTE, OPENING, CLOSING = ord('"'), b"{[", b"}]"

#: Where the answers of search servers hold their rows.
ROWS_AT = {("hits", "hits"), ("hits",), ("results",)}


def _nested(levels: int) -> bytes:
    """A pattern for an object or a list that has so many levels within it."""
    inner = rb'[^"{}\[\]]++|' + STRING
    if levels:
        inner += b"|" + _nested(levels - 1)
    return rb"[{\[](?:" + inner + rb")*+[}\]]"


#: A value as most rows are, found in one go; what it does not match is gone through by tokens.
SHALLOW = re.compile(_nested(2), re.DOTALL)


class Misplaced(ValueError):
    """The text is no JSON any further."""


class TooLong(bytes):
    """The beginning of a value that is too long to be a row."""


class Values:
    """A JSON text, read once from front to back."""

    def __init__(self, stream: "BufferedReader[Any]") -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._begin: int | None = None  # of the value that is being read: kept until its end
        self._cut = b""  # the beginning of a value that has grown too long to be kept

    def rows(self) -> Iterator[bytes]:
        """Every item of the arrays at the top; a value that is no array is an item itself.

        Raises: Misplaced, EOFError where the text ends too early, OSError.
        """
        while (mark := self._next()) is not None:
            if mark == b"[":
                yield from self._items()
            else:
                yield self._value()

    def answers(self) -> Iterator[bytes]:
        """Every row in search answers, one answer after the other. Raises as `rows`."""
        while (mark := self._next()) is not None:
            if mark == b"{":
                yield from self._members(())
            elif mark == b"[":
                yield from self._items()
            else:
                raise Misplaced(f"an answer begins with {{, not {mark.decode(errors='replace')}")

    def _members(self, path: tuple[str, ...]) -> Iterator[bytes]:
        """The rows in an object; its other members are passed over."""
        self._at += 1
        if self._due(b'"}') == b"}":
            return
        while True:
            name = (*path, self._value().strip(b'"').decode(errors="replace"))
            self._due(b":")
            mark = self._look()
            if mark == b"[" and name in ROWS_AT:
                yield from self._items()
            elif mark == b"{" and name == ("hits",):
                yield from self._members(name)
            else:
                self._value()
            if self._due(b",}") == b"}":
                return
            if self._look() != b'"':
                raise Misplaced("the name of a member is due")

    def _items(self) -> Iterator[bytes]:
        self._at += 1
        if self._look() == b"]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._due(b",]") == b"]":
                return

    def _due(self, marks: bytes) -> bytes:
        """The next mark, passed over unless it opens a string. Raises Misplaced for another."""
        mark = self._look()
        if mark not in marks:
            due = " or ".join(chr(one) for one in marks)
            raise Misplaced(f"{due} is due, not {mark.decode(errors='replace')}")
        if mark != b'"':
            self._at += 1
        return mark

    def _look(self) -> bytes:
        mark = self._next()
        if mark is None:
            raise EOFError("the JSON ends too early")
        return mark

    def _next(self) -> bytes | None:
        """The next byte that is no space, left in its place; None at the end."""
        while True:
            found = SPACE.match(self._buffer, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            try:
                self._at = self._more(self._at)
            except EOFError:
                return None

    def _value(self) -> bytes:
        """The value that begins here; TooLong with its beginning if it is no row for its length."""
        mark = self._look()
        self._begin, self._cut = self._at, b""
        if (found := SHALLOW.match(self._buffer, self._at)) is not None:
            end = found.end()
        elif mark == b'"' or mark in OPENING:
            end = self._end_of_nested(self._at)
        else:
            end = self._end_of_scalar(self._at)
        begin, self._at, self._begin = self._begin, end, None
        if begin is None:
            return TooLong(self._cut)
        value = self._buffer[begin:end]
        return value if len(value) <= LONGEST else TooLong(value[:REJECT_ROW_BYTES])

    def _end_of_nested(self, at: int) -> int:
        depth = 0
        while True:
            for found in TOKEN.finditer(self._buffer, at):
                mark = self._buffer[found.start()]
                if mark in OPENING:
                    depth += 1
                elif mark in CLOSING:
                    depth -= 1
                elif found.end() - found.start() == 1:
                    at = self._end_of_string(found.end())
                    break
                if depth == 0:
                    return found.end()
            else:
                at = self._more(len(self._buffer))
                continue
            if depth == 0:
                return at

    def _end_of_string(self, at: int) -> int:
        """Behind the quote that closes a string which the buffer holds only in part."""
        while True:
            found = STRING_REST.match(self._buffer, at)
            assert found is not None
            at = found.end()
            if at < len(self._buffer) and self._buffer[at] == QUOTE:
                return at + 1
            at = self._more(at)

    def _end_of_scalar(self, at: int) -> int:
        first = at
        while True:
            found = SCALAR.match(self._buffer, at)
            assert found is not None
            at = found.end()
            if at < len(self._buffer):
                break
            first -= at
            try:
                at = self._more(at)
            except EOFError:
                break
            first += at
        if at == first:
            mark = self._buffer[at : at + 1].decode(errors="replace")
            raise Misplaced(f"a value is due, not {mark}")
        return at

    def _more(self, at: int) -> int:
        """Read on; where `at` is in the buffer now. Raises EOFError at the end."""
        if self._begin is not None and len(self._buffer) - self._begin > LONGEST:
            self._cut = self._buffer[self._begin : self._begin + REJECT_ROW_BYTES]
            self._begin = None
        keep = at if self._begin is None else self._begin
        piece = self._stream.read1(PIECE)
        if not piece:
            raise EOFError("the JSON ends too early")
        self._buffer = self._buffer[keep:] + piece
        if self._begin is not None:
            self._begin = 0
        return at - keep
