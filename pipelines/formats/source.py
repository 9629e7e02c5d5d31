"""A byte stream that is read once, and what is found in it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from contracts.imports import REJECT_ROW_BYTES, ROW_BYTES, Reject

SNIFF = 64 * 1024  # bytes looked at to find out what a source is

#: What reading raises where a source breaks off or is damaged.
BROKEN = (OSError, EOFError)


@dataclass(frozen=True, slots=True)
class Table:
    """How a CSV writes its rows."""

    header: tuple[str, ...]
    delimiter: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as its source has it; `line` counts from 1."""

    file: str
    line: int
    data: dict[str, Any]
    #: Bytes that the source has for it: what it takes to keep the row until it is answered.
    size: int = field(default=0, compare=False)
    table: Table | None = field(default=None, compare=False)


class Unread(Reject):
    """A row that can't be read, with its bytes; these stay with the client."""

    raw: bytes = Field(default=b"", exclude=True, repr=False)
    #: Whether nothing behind it can be read either.
    ends: bool = Field(default=False, exclude=True, repr=False)
    table: Any = Field(default=None, exclude=True, repr=False)
    #: Its `_id`, where that stands outside of what can't be read.
    known_id: Any = Field(default=None, exclude=True, repr=False)


Found = SourceRow | Reject


class Ahead(io.RawIOBase):
    """A stream that has been looked into; it is read from where it was before that."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._held = b""
        self._error: Exception | None = None

    def head(self, size: int = SNIFF) -> bytes:
        """The next `size` bytes; fewer only where the stream ends or breaks before."""
        piece = bytearray(size)
        while len(self._held) < size and self._error is None:
            try:
                count = self._stream.readinto(memoryview(piece)[: size - len(self._held)])
            except BROKEN as error:
                self._error = error  # what came before it is read first
                break
            if not count:
                break
            self._held += piece[:count]
        return self._held[:size]

    def skip(self, count: int) -> None:
        """Leave out the next bytes, which `head` has shown."""
        self._held = self._held[count:]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held:
            if self._error is not None:
                raise self._error
            return self._stream.readinto(buffer) or 0
        piece = self._held[: len(buffer)]
        buffer[: len(piece)] = piece
        self._held = self._held[len(piece) :]
        return len(piece)


@dataclass(frozen=True, slots=True)
class Source:
    """A named stream of UTF-8, its beginning, and what its reader has to say of it as a whole."""

    stream: "io.BufferedReader[Any]"
    name: str
    head: bytes = b""
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Numbered lines; of one that is too long to be a row only the beginning is kept.

        The longest that is whole has 2 * ROW_BYTES bytes: what JSON escapes may shrink to fit.
        """
        limit, number = 2 * ROW_BYTES, 0
        while line := self.stream.readline(limit + 1):
            number += 1
            if len(line) > limit:
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = self.stream.readline(limit)
            yield number, line

    def reject(
        self,
        line: int,
        code: str,
        message: str,
        row: bytes = b"",
        field: str = "",
        table: Table | None = None,
        *,
        ends: bool = False,
        known_id: Any = None,
    ) -> Unread:
        """A row that can't be read, with its beginning for the report."""
        return Unread(
            file=self.name,
            line=line,
            field=field,
            code=code,
            message=message[:1000].replace("\0", "\ufffd"),
            row=excerpt(row),
            raw=row.rstrip(b"\r\n"),
            ends=ends,
            table=table,
            known_id=known_id,
        )


def excerpt(data: bytes) -> str:
    """What a reject keeps of a row that could not be read."""
    text = data[:REJECT_ROW_BYTES].decode(errors="replace")
    return text.replace("\0", "\ufffd").rstrip("\r\n")


def too_long(line: bytes) -> bool:
    """Whether `Source.lines` has cut this line."""
    return len(line) > 2 * ROW_BYTES
