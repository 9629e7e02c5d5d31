"""Any source as rows: find out what it is, read it row by row, keep what can't be read."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import IO, Any, Literal

from contracts.errors import UnsupportedFormat
from contracts.imports import REJECT_ROW_BYTES, Reject
from pipelines.formats import delimited, jsons, markdown
from pipelines.formats.source import Found, Source

Format = Literal["auto", "ndjson", "json", "csv", "markdown"]

SNIFF = 64 * 1024  # bytes looked at to find out what a source is
GZIP = b"\x1f\x8b"
EXTENSIONS: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".md": "markdown",
    ".markdown": "markdown",
}


def read(stream: IO[bytes] | io.RawIOBase, name: str, kind: Format = "auto") -> Iterator[Found]:
    """The rows of one source, and in their places those that can't be read.

    A source that breaks off (a truncated gzip file) gives what it held, then a reject.
    Raises: UnsupportedFormat when it is nothing that we read.
    """
    buffered = _buffered(stream)
    if buffered.peek(2)[:2] == GZIP:
        buffered = _buffered(gzip.GzipFile(fileobj=buffered))
        name = name.removesuffix(".gz")
    source = Source(buffered, name)
    rows = 0
    try:
        for found in _reader(source, kind):
            rows += 1
            yield found
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        yield Reject(
            file=name,
            line=rows + 1,
            code="SOURCE_CUT_SHORT",
            message=f"the source can't be read any further: {error}",
        )


def _buffered(stream: Any) -> "io.BufferedReader[Any]":
    """`stream` with a `peek`; anything that has a `readinto` will do."""
    return io.BufferedReader(stream, SNIFF)


def _reader(source: Source, kind: Format) -> Iterator[Found]:
    sample = source.stream.peek(SNIFF)[:SNIFF]
    if kind == "auto":
        kind = _guess(sample, source.name)
    if kind == "ndjson":
        return jsons.lines(source)
    if kind == "json":
        return jsons.array(source)
    if kind == "markdown":
        return markdown.entry(source)
    return delimited.rows(source, sample)


def _guess(sample: bytes, name: str) -> Format:
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "csv"  # UTF-16, as spreadsheets save it
    if b"\0" in sample:
        raise UnsupportedFormat(f"{name} looks binary: the importer reads text.", file=name)
    start = sample.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        return "json"
    if start.startswith(b"{"):
        return "ndjson"
    for extension, kind in EXTENSIONS.items():
        if name.lower().endswith(extension):
            return kind
    if not start or any(mark in start.split(b"\n", 1)[0] for mark in b",;\t|"):
        return "csv"
    raise UnsupportedFormat(
        f"{name} is neither NDJSON, a JSON array, CSV nor Markdown.",
        file=name,
        starts_with=start[:40].decode(errors="replace"),
    )


def excerpt(data: bytes) -> str:
    """What a reject keeps of a row that could not be read."""
    text = data[:REJECT_ROW_BYTES].decode(errors="replace")
    return text.replace("\0", "\ufffd").rstrip("\r\n")
