"""CSV and TSV, with a header line or with columns that somebody has named."""

import csv
import io
import re
from collections.abc import Iterator

from contracts.imports import ROW_BYTES
from pipelines.formats.dialect import sniff
from pipelines.formats.source import SNIFF, Found, Source, SourceRow, Table, Unread

LONGEST = 2 * ROW_BYTES  # characters of one record
AGAIN = 4  # times that a character is read again, at most and on average
ENDS = ("\n", "\r")
DOS_END = "\x1a"  # behind the last line
IDS = ("external_id", "_id", "id")  # columns of names: a blank beside one is none of it
#: A first line that tells spreadsheets the delimiter, and is no record.
SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?(?:\r\n?|\n)', re.IGNORECASE)


class _TooLong(Exception):
    """A record that goes on and on."""


class _Lines:
    """A text's lines, counted; of one that is too long for a record only the beginning is held."""

    def __init__(self, source: Source) -> None:
        self._text = io.TextIOWrapper(source.stream, "utf-8", errors="surrogateescape", newline="")
        self.number = 0
        self.size = 0  # characters since the record began
        self._read: list[str] = []  # since then
        self._again: list[str] = []  # to be read before the text goes on, the last one first
        self._given = 0  # characters, in all records before this one
        self._repeated = 0  # of them, those that were given before

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.pop()
            self._repeated += len(line)
        else:
            line = self._text.readline(LONGEST + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.size += len(line)
        self._read.append(line)
        if self.size > LONGEST:
            self._read[-1] = self._ended(line)
            raise _TooLong
        return line

    def _ended(self, line: str) -> str:
        """The line with an end; what it has beyond what is held is passed over."""
        if line.endswith(ENDS):
            return line
        while (rest := self._text.readline(LONGEST)) and not rest.endswith(ENDS):
            pass
        return f"{line}\n"

    def begin(self) -> None:
        """A record begins here."""
        self._given += self.size
        self.size = 0
        self._read.clear()

    @property
    def first(self) -> int:
        """The number of the record's first line."""
        return self.number - len(self._read) + 1

    def back(self) -> None:
        """Leave only its first line to the record, so that the next one begins behind that.

        Not where lines were read again too often: where each of them opens a quote that stays
        open, all the text behind it would be read for each.
        """
        fresh = self._given + self.size - self._repeated
        if self._repeated + self.size <= AGAIN * fresh:
            self.number = self.first
            self._again += self._read[:0:-1]
            del self._read[1:]

    @property
    def record(self) -> bytes:
        """The record as the source has it."""
        return "".join(self._read).encode(errors="surrogateescape")


def rows(
    source: Source, delimiter: str | None = None, columns: tuple[str, ...] = ()
) -> Iterator[Found]:
    """Each record as `{header: text}`; `line` is the record's last line in the file.

    Empty cells are left out, so that a field's default applies. A record of many lines that can't
    be read is its first line: a quote that is left open takes no records along. With `columns`
    there is no header, unless the first record has all of these names: those of rejects have one.
    """
    lines, head = _Lines(source), _whole_lines(source.head)
    if (said := SEPARATOR.match(head)) is not None:
        delimiter, head = delimiter or said[1], head[said.end() :]
        next(lines)
    csv.field_size_limit(ROW_BYTES)
    reader = csv.reader(lines, dialect=sniff(head, delimiter))
    table = Table(columns, reader.dialect.delimiter) if columns else None
    records, headed = 0, False
    while True:
        lines.begin()
        try:
            record = next(reader)
        except StopIteration:
            if headed and not records:
                source.notes.append(f"{source.name} is read as a CSV, and has a header and no row.")
            return
        except _TooLong:
            found: Found = _unread(source, lines, table, "ROW_TOO_LARGE", "is too long for a row")
        except csv.Error as error:
            found = _unread(source, lines, table, "CSV_UNREADABLE", str(error))
        else:
            if not any(record) or record == [DOS_END]:
                continue
            if table is None or (not (records or headed) and _names_all(record, columns)):
                header = [name.strip() for name in record]
                problem = _header_problem(header, lines.record)
                if problem is None:
                    table, headed = Table(tuple(header), reader.dialect.delimiter), True
                    continue
                yield source.reject(lines.number, "CSV_HEADER", problem, lines.record, ends=True)
                return
            found = _row(source, lines, table, record)
        yield found
        records += 1
        if table is None:
            return  # without a header no record says what it is


def _unread(source: Source, lines: _Lines, table: Table | None, code: str, message: str) -> Unread:
    if lines.first < lines.number:
        message += f" (lines {lines.first} to {lines.number}: is a quote left open?)"
        lines.back()
    ends = table is None
    return source.reject(lines.number, code, message, lines.record, table=table, ends=ends)


def _row(source: Source, lines: _Lines, table: Table, record: list[str]) -> Found:
    header, number, text = table.header, lines.number, lines.record
    if len(record) != len(header):
        message = f"has {len(record)} cells, the header has {len(header)}"
        return source.reject(number, "CSV_RAGGED", message, text, table=table)
    cells = {name: cell for name, cell in zip(header, record, strict=True) if name and cell}
    for name in IDS:
        if name in cells and not (stripped := cells[name].strip()):
            del cells[name]
        elif name in cells:
            cells[name] = stripped
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            message = f"is not UTF-8: byte {text[error.start]:#04x}"
            return source.reject(number, "ENCODING_UNREADABLE", message, text, table=table)
    return SourceRow(source.name, number, cells, len(text), table)


def _names_all(record: list[str], columns: tuple[str, ...]) -> bool:
    return {name for name in columns if name} <= {cell.strip() for cell in record}


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
