"""A byte stream that is read once, and what is found in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

from contracts.imports import REJECT_ROW_BYTES, ROW_BYTES, Reject


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as its source has it; `line` counts from 1."""

    file: str
    line: int
    data: dict[str, Any]


Found = SourceRow | Reject


@dataclass(frozen=True, slots=True)
class Source:
    """A named stream."""

    stream: "BufferedReader[Any]"
    name: str

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

    def reject(self, line: int, code: str, message: str, row: bytes = b"") -> Reject:
        """A row that can't be read, with its beginning."""
        text = row[:REJECT_ROW_BYTES].decode(errors="replace").replace("\0", "\ufffd")
        return Reject(
            file=self.name, line=line, code=code, message=message, row=text.rstrip("\r\n")
        )


def too_long(line: bytes) -> bool:
    """Whether `Source.lines` has cut this line."""
    return len(line) > 2 * ROW_BYTES
