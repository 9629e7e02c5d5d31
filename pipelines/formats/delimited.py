"""CSV and TSV with a header line."""

import csv
import io
from collections.abc import Iterator

from contracts.imports import ROW_BYTES
from pipelines.formats.dialect import sniff
from pipelines.formats.source import SNIFF, Found, Source, SourceRow, Table

LONGEST = 2 * ROW_BYTES  # characters of one record


class _TooLong(Exception):
    """A record that goes on and on."""


class _Lines:
    """A text's lines, counted, none of them held that is too long for a record."""

    def __init__(self, source: Source) -> None:
        self._text = io.TextIOWrapper(source.stream, "utf-8", errors="surrogateescape", newline="")
        self.number = 0
        self.size = 0  # characters since the record began
        self._read: list[str] = []  # since then

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.size += len(line)
        self._read.append(line)
        if self.size > LONGEST:
            while line and not line.endswith(("\n", "\r")):
                line = self._text.readline(LONGEST)
            raise _TooLong
        return line

    def begin(self) -> None:
        """A record begins here."""
        self.size = 0
        self._read.clear()

    @property
    def record(self) -> bytes:
        """The record as the source has it."""
        return "".join(self._read).encode(errors="surrogateescape")


def rows(source: Source, delimiter: str | None = None) -> Iterator[Found]:
    """Each record as `{header: text}`; `line` is the record's last line in the file.

    Empty cells are left out, so that a field's default applies.
    """
    lines = _Lines(source)
    csv.field_size_limit(ROW_BYTES)
    reader = csv.reader(lines, dialect=sniff(_whole_lines(source.head), delimiter))
    header: list[str] = []
    table: Table | None = None
    while True:
        lines.begin()
        try:
            record = next(reader)
        except StopIteration:
            return
        except _TooLong:
            message = "is too long for a row"
            found: Found = source.reject(
                lines.number,
                "ROW_TOO_LARGE",
                message,
                lines.record,
                table=table,
                ends=table is None,
            )
        except csv.Error as error:
            found = source.reject(
                lines.number,
                "CSV_UNREADABLE",
                str(error),
                lines.record,
                table=table,
                ends=table is None,
            )
        else:
            if not any(record):
                continue
            if table is not None:
                found = _row(source, lines, table, record)
            else:
                header = [name.strip() for name in record]
                problem = _header_problem(header, lines.record)
                if problem is None:
                    table = Table(tuple(header), reader.dialect.delimiter)
                    continue
                yield source.reject(lines.number, "CSV_HEADER", problem, lines.record, ends=True)
                return
        yield found
        if not header:
            return  # without it no record says what it is


def _row(source: Source, lines: _Lines, table: Table, record: list[str]) -> Found:
    header, number, text = table.header, lines.number, lines.record
    if len(record) != len(header):
        message = f"has {len(record)} cells, the header has {len(header)}"
        return source.reject(number, "CSV_RAGGED", message, text, table=table)
    cells = {name: cell for name, cell in zip(header, record, strict=True) if name and cell}
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            message = f"is not UTF-8: byte {text[error.start]:#04x}"
            return source.reject(number, "ENCODING_UNREADABLE", message, text, table=table)
    return SourceRow(source.name, number, cells, len(text), table)


def _header_problem(header: list[str], text: bytes) -> str | None:
    try:
        text.decode()
    except UnicodeDecodeError:
        return "the header is not UTF-8"
    twice = sorted({name for name in header if name and header.count(name) > 1})
    return f"the header has {', '.join(twice)} more than once" if twice else None


def _whole_lines(head: bytes) -> str:
    """The sample without the line that it cuts."""
    if len(head) >= SNIFF:
        head = head[: head.rfind(b"\n") + 1] or head
    return head.decode(errors="replace")
