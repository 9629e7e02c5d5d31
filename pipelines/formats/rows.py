"""Any source as rows: find out what it is, read it row by row, keep what can't be read."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal

import orjson

from contracts.errors import SourceUnreadable, UnsupportedFormat
from pipelines.formats import bulk, delimited, encodings, jsons, markdown
from pipelines.formats.compression import bare, unpacked
from pipelines.formats.source import BROKEN, SNIFF, Ahead, Found, Source, Unread
from pipelines.formats.values import Misplaced, TooLong, Values

Format = Literal["auto", "ndjson", "json", "bulk", "hits", "csv", "markdown"]

EXTENSIONS: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".md": "markdown",
    ".markdown": "markdown",
}

#: An answer whose rows come first, so that what follows them is not seen yet.
ROWS_FIRST = re.compile(rb'\{\s*"(?:results|hits)"\s*:\s*\[')

#: An array that may hold rows, also over many lines.
OF_ROWS = re.compile(rb"\[\s*(?:[{\]]|$)")

#: What follows an object where another one stands on its line.
NEXT = re.compile(rb"[ \t]*\{")

TAR = re.compile(rb".{257}ustar", re.DOTALL)


@dataclass(frozen=True)
class Reading:
    """How a source is to be read, where it should not be found out."""

    kind: Format = "auto"
    #: What its sender calls it, if the content does not tell.
    hint: Format = "auto"
    #: One character between the cells of a CSV.
    delimiter: str | None = None
    #: A name that Python's codecs have; a byte order mark tells more.
    encoding: str | None = None
    #: What a CSV without a header has in its cells; those of "" are left out.
    columns: tuple[str, ...] = ()


def make_reading(
    kind: Format = "auto",
    *,
    hint: Format = "auto",
    delimiter: str | None = None,
    encoding: str | None = None,
    columns: str | None = None,
) -> Reading:
    """A Reading from what a person wrote; `\\t` is a tab, `columns` stand between commas.

    Raises: SourceUnreadable for a delimiter or columns that are none, EncodingUnknown.
    """
    if delimiter is not None:
        delimiter = delimiter.replace("\\t", "\t")
        if len(delimiter) != 1 or delimiter in "\"'\\\r\n \0":
            raise SourceUnreadable("A delimiter is one character, and no quote or space.")
    if encoding is not None:
        encodings.checked(encoding)
    return Reading(kind, hint, delimiter or None, encoding or None, _columns(columns))


def _columns(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    columns = tuple(name.strip() for name in text.split(","))
    names = [name for name in columns if name]
    if not names or len(set(names)) < len(names):
        raise SourceUnreadable("The columns are names between commas, each once: title,,problem.")
    return columns


def read(
    stream: IO[bytes] | io.RawIOBase, name: str, reading: Reading, notes: list[str]
) -> Iterator[Found]:
    """The rows of one source, and in their places those that can't be read.

    A source that breaks off (a truncated gzip file) gives what it held, then a reject. What was
    assumed of it as a whole is added to `notes`.
    Raises: UnsupportedFormat when it is nothing that we read, EncodingUnknown.
    """
    last = 0
    try:
        for found in _reader(unpacked(Ahead(stream)), name, reading, notes):
            last = found.line
            yield found
    except BROKEN as error:
        yield Unread(
            file=name,
            line=last + 1,
            code="SOURCE_CUT_SHORT",
            message=f"the source can't be read any further: {error}"[:1000],
            ends=True,
        )


def _reader(ahead: Ahead, name: str, reading: Reading, notes: list[str]) -> Iterator[Found]:
    ahead, encoding = encodings.declared(ahead, reading.encoding)
    head = ahead.head()
    if TAR.match(head):
        raise UnsupportedFormat(
            f"{name} is a tar archive: unpack it, and import the files in it that have rows"
            " (of a Meilisearch dump: indexes/*/documents.jsonl).",
            file=name,
        )
    if not encoding and (encoding := encodings.unmarked(head)):
        notes.append(f"{name} has no byte order mark; it was read as {encoding}.")
        ahead = encodings.recoded(ahead, encoding)
        head = ahead.head()
    kind = reading.kind
    if kind == "auto":
        kind = _guess(head, name, reading.hint, wide=encoding.startswith(("utf-16", "utf-32")))
    if kind in ("csv", "markdown") and not encoding and not encodings.is_utf8(head):
        assumed = encodings.likely(head)
        notes.append(f"{name} is not UTF-8; it was read as {assumed}.")
        ahead = encodings.recoded(ahead, assumed)
        head = ahead.head()
    if kind == "json" and head.lstrip().startswith(b"{") and _told_by_content(head) == "hits":
        kind = "hits"
    source = Source(io.BufferedReader(ahead, SNIFF), name, head, notes)
    if kind == "csv":
        return delimited.rows(source, reading.delimiter, reading.columns)
    readers: dict[str, Any] = {
        "ndjson": jsons.lines,
        "json": jsons.array,
        "bulk": bulk.pairs,
        "hits": jsons.answers,
        "markdown": markdown.entry,
    }
    found: Iterator[Found] = readers[kind](source)
    return found


def _guess(head: bytes, name: str, hint: Format, *, wide: bool) -> Format:
    if hint == "auto":
        hint = next(
            (kind for end, kind in EXTENSIONS.items() if bare(name).lower().endswith(end)), "auto"
        )
    start = head.lstrip()
    if hint not in ("csv", "markdown"):
        if start.startswith(b"[") and (hint != "ndjson" or OF_ROWS.match(start)):
            return "json"
        if start.startswith(b"{"):
            return _told_by_content(start, lines=hint == "ndjson")
    if hint != "auto":
        return hint
    if b"\0" in head:
        raise UnsupportedFormat(
            f"{name} looks binary: the importer reads text (UTF-16 without a mark: --encoding).",
            file=name,
        )
    # Two or four bytes a character are how spreadsheets save text, be it one column.
    if wide or not start or any(mark in start.split(b"\n", 1)[0] for mark in b",;\t|"):
        return "csv"
    if delimited.SEPARATOR.match(start[:100].decode(errors="replace")):
        return "csv"
    raise UnsupportedFormat(
        f"{name} is neither NDJSON, JSON, CSV nor Markdown.",
        file=name,
        starts_with=start[:40].decode(errors="replace"),
    )


def _told_by_content(head: bytes, *, lines: bool = False) -> Format:
    """What a text is that begins with an object; `lines`: it is called NDJSON."""
    start = head.lstrip()
    try:
        first = orjson.loads(start.split(b"\n", 1)[0])
    except orjson.JSONDecodeError:
        return _told_by_values(start, lines=lines)
    if bulk.is_action(first):
        return "bulk"
    hits = first.get("hits")
    if isinstance(hits, dict) and isinstance(hits.get("hits"), list):
        return "hits"
    if isinstance(hits, list) and first.keys() & {"found", "query"}:
        return "hits"
    if isinstance(first.get("results"), list) and first.keys() & {"offset", "limit"}:
        return "hits"
    return "ndjson"


def _told_by_values(start: bytes, *, lines: bool) -> Format:
    """The same where the first line is no whole object: a long answer, or one over many lines."""
    try:
        row = next(Values(_buffered(start)).answers(), b"")
        if row and (ROWS_FIRST.match(start) or b'"hits"' in start):
            return "hits"
    except (Misplaced, EOFError):
        pass
    try:
        value = next(Values(_buffered(start)).rows(), b"")
        several = b"\n" in value or (not lines and NEXT.match(start, len(value)))
        if several and not isinstance(value, TooLong):
            orjson.loads(value)
            return "json"
    except (Misplaced, EOFError, orjson.JSONDecodeError):
        pass
    return "ndjson"


def _buffered(data: bytes) -> "io.BufferedReader[Any]":
    return io.BufferedReader(io.BytesIO(data))
