"""CSV and TSV with a header line."""

import csv
import io
from collections.abc import Iterator

from contracts.imports import ROW_BYTES
from pipelines.formats.dialect import sniff
from pipelines.formats.source import SNIFF, Found, Source, SourceRow

LONGEST = 2 * ROW_BYTES  # characters of one record


class _TooLong(Exception):
    """A record that goes on and on."""


class _Lines:
    """A text's lines, counted, none of them held that is too long for a record."""

    def __init__(self, source: Source) -> None:
        self._text = io.TextIOWrapper(source.stream, "utf-8", errors="surrogateescape", newline="")
        self.number = 0
        self.size = 0  # characters since the record began

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.size += len(line)
        if self.size > LONGEST:
            while line and not line.endswith(("\n", "\r")):
                line = self._text.readline(LONGEST)
            raise _TooLong
        return line


def rows(source: Source, delimiter: str | None = None) -> Iterator[Found]:
    """Each record as `{header: text}`; `line` is the record's last line in the file.

    Empty cells are left out, so that a field's default applies.
    """
    lines = _Lines(source)
    csv.field_size_limit(ROW_BYTES)
    reader = csv.reader(lines, dialect=sniff(_whole_lines(source.head), delimiter))
    header: list[str] = []
    while True:
        lines.size = 0
        try:
            record = next(reader)
        except StopIteration:
            return
        except _TooLong:
            found: Found = source.reject(lines.number, "ROW_TOO_LARGE", "is too long for a row")
        except csv.Error as error:
            found = source.reject(lines.number, "CSV_UNREADABLE", str(error))
        else:
            if not any(record):
                continue
            text = _text(record)
            if header:
                found = _row(source, lines.number, header, record, text)
            else:
                header = [name.strip() for name in record]
                problem = _header_problem(header, text)
                if problem is None:
                    continue
                yield source.reject(lines.number, "CSV_HEADER", problem, text)
                return
        yield found
        if not header:
            return  # without it no record says what it is


def _row(source: Source, number: int, header: list[str], record: list[str], text: bytes) -> Found:
    if len(record) != len(header):
        message = f"has {len(record)} cells, the header has {len(header)}"
        return source.reject(number, "CSV_RAGGED", message, text)
    cells = {name: cell for name, cell in zip(header, record, strict=True) if name and cell}
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            message = f"is not UTF-8: byte {text[error.start]:#04x}"
            return source.reject(number, "ENCODING_UNREADABLE", message, text)
    return SourceRow(source.name, number, cells)


def _header_problem(header: list[str], text: bytes) -> str | None:
    try:
        text.decode()
    except UnicodeDecodeError:
        return "the header is not UTF-8"
    twice = sorted({name for name in header if name and header.count(name) > 1})
    return f"the header has {', '.join(twice)} more than once" if twice else None


def _text(record: list[str]) -> bytes:
    return ",".join(record).encode(errors="surrogateescape")


def _whole_lines(head: bytes) -> str:
    """The sample without the line that it cuts."""
    if len(head) >= SNIFF:
        head = head[: head.rfind(b"\n") + 1] or head
    return head.decode(errors="replace")
