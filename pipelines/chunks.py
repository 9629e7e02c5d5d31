"""Rows cut into chunks: each one message, small enough, with a digest of its content."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson

from contracts.imports import CHUNK_BYTES, CHUNK_ROWS, ROW_BYTES, Reject
from contracts.mappings import FIELDS, Shape
from pipelines.formats.source import Found, SourceRow, Table, Unread
from pipelines.mapping import NotText, Row, found_at, name_in, paths_of, shaper
from pipelines.rejects import ID, RAW, REASON

Entry = tuple[str, str]  # as its rows name it: source, external id

NAMES = frozenset((*FIELDS, RAW))
SOURCE_BYTES = 2 * 1024 * 1024  # of a chunk in its source: rows are kept until they are answered


@dataclass(slots=True)
class Chunk:
    """Encoded rows and the client's own rejects, in the order of the source."""

    number: int
    rows: list[orjson.Fragment] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    named: list[str] = field(default_factory=list)  # external ids of those rejects that have one
    size: int = 0
    digest: str = ""
    #: The rows before the mapping, where rejects are to be written.
    sources: list[Found] = field(default_factory=list)
    source_size: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.rejects)


def cut(
    found: Iterable[Found], shape: Shape, notes: list[str] | None = None, *, keep: bool = False
) -> Iterator[Chunk]:
    """Chunks of at most CHUNK_ROWS rows and CHUNK_BYTES bytes; one larger row travels alone.

    The same source and shape give the same chunks: that is what makes an import resumable. With
    `keep` they hold the rows of the source too. What of the mapping found nothing in any row is
    added to `notes` at the end.
    """
    chunk, seen = Chunk(0), hashlib.blake2b(digest_size=16)
    shaped, missed, twice = _mended(shape), _Missed(shape), _Twice()
    for one in found:
        missed.look(one)
        encoded, entry = _encode(one, shaped)
        size = len(encoded) if isinstance(encoded, bytes) else len(encoded.row) + 500
        source_size = _source_size(one)
        if len(chunk) and (
            len(chunk) >= CHUNK_ROWS
            or chunk.size + size > CHUNK_BYTES
            or chunk.source_size + source_size > SOURCE_BYTES
        ):
            chunk.digest = seen.hexdigest()
            yield chunk
            chunk, seen = Chunk(chunk.number + 1), hashlib.blake2b(digest_size=16)
        twice.look(chunk.number, entry)
        chunk.size += size
        chunk.source_size += source_size
        if keep:
            chunk.sources.append(one)
        if isinstance(encoded, bytes):
            chunk.rows.append(orjson.Fragment(encoded))
            seen.update(encoded)
        else:
            chunk.rejects.append(encoded)
            if (name := name_in(_known(one), shape)) is not None:
                chunk.named.append(name)
            seen.update(encoded.model_dump_json().encode())
    if len(chunk):
        chunk.digest = seen.hexdigest()
        yield chunk
    if notes is not None:
        notes += [*missed.notes(), *twice.notes()]


class _Missed:
    """Paths of a mapping at which no row has had anything so far; CSVs without a mapping whose
    first line tells of no field, as it may be a row."""

    def __init__(self, shape: Shape) -> None:
        self._paths = paths_of(shape)
        self._mapped = bool(shape.mapping)
        self._rows = False
        self._table: Table | None = None
        self._unnamed: list[str] = []

    def look(self, one: Found) -> None:
        table: Table | None = getattr(one, "table", None)
        if table is not self._table:
            self._table = table
            if table is not None and not (self._mapped or NAMES.intersection(table.header)):
                self._unnamed.append(
                    f"Nothing in the first line of {one.file} is called as a field of entries is. "
                    "Where it is no header, name the columns (--columns, over HTTP columns=), else "
                    "map them."
                )
        if self._paths and isinstance(one, SourceRow):
            self._rows = True
            for path in found_at(self._paths, one.data):
                del self._paths[path]

    def notes(self) -> list[str]:
        if not (self._rows and self._paths):
            return self._unnamed
        missed = ", ".join(f"{path} (for {field})" for path, field in self._paths.items())
        return [f"The mapping looks where no row has anything: {missed}."]


class _Twice:
    """How many rows are about an entry that a later row of their chunk is about, too."""

    def __init__(self) -> None:
        self._chunk = -1
        self._entries = set[Entry]()
        self._count = 0

    def look(self, chunk: int, entry: Entry | None) -> None:
        if chunk != self._chunk:
            self._chunk = chunk
            self._entries.clear()
        if entry is not None:
            self._count += entry in self._entries
            self._entries.add(entry)

    def notes(self) -> list[str]:
        if not self._count:
            return []
        twice = "Rows about an entry that a later row of their chunk is about, too"
        return [f"{twice}: {self._count:,}; the later one counts."]


async def read_aside(chunks: Iterable[Chunk]) -> AsyncGenerator[Chunk, None]:
    """The chunks, each read when it is asked for, all in one thread of their own.

    A pool's threads that read by turns take up 10 MB more: malloc keeps for each what it gave back.
    Whoever stops early should close this (`contextlib.aclosing`); a read that waits is left to end.
    """
    source, loop = iter(chunks), asyncio.get_running_loop()
    pool = ThreadPoolExecutor(1, thread_name_prefix="reading")
    try:
        while (chunk := await loop.run_in_executor(pool, next, source, None)) is not None:
            yield chunk
    finally:
        pool.shutdown(wait=False)


def _source_size(one: Found) -> int:
    if isinstance(one, SourceRow):
        return one.size
    return len(one.raw) if isinstance(one, Unread) else 0


def _known(one: Found) -> Row:
    """What can be told of a row that was rejected."""
    if isinstance(one, SourceRow):
        return one.data
    return {ID: one.known_id} if isinstance(one, Unread) else {}


class _StillRaw(Exception):
    """A row that could not be read, come back as it was."""


def _mended(shape: Shape) -> Callable[[Row], Row]:
    """As `shaper`, for rows that may come from a file of rejects: why is not part of the row."""
    shaped = shaper(shape)
    ours = (REASON,) if shape.mapping else (REASON, RAW)  # a mapping may take another's _raw

    def mended(data: Row) -> Row:
        if REASON in data:
            if data.get(RAW) and data.keys() <= {REASON, RAW, ID}:
                raise _StillRaw
            data = {name: value for name, value in data.items() if name not in ours}
        return shaped(data)

    return mended


def _encode(one: Found, shaped: Callable[[Row], Row]) -> tuple[bytes | Reject, Entry | None]:
    """The row as it travels, and which entry it names."""
    if isinstance(one, Reject):
        return one, None
    try:
        data = shaped(one.data)
    except NotText as error:
        return _reject(one, "MAPPED_NOT_TEXT", str(error), error.field), None
    except _StillRaw:
        text = "it still stands in _raw and nowhere else"
        return _reject(one, "ROW_UNREADABLE", text, RAW), None
    row = _written(one, data)
    name = data.get("external_id")
    named = isinstance(row, bytes) and isinstance(name, str | int) and name != ""
    return row, (str(data.get("source") or ""), str(name)) if named else None


def _written(one: SourceRow, data: Row) -> bytes | Reject:
    try:
        row = orjson.dumps({"file": one.file, "line": one.line, "data": data}, default=str)
    except (orjson.JSONEncodeError, RecursionError) as error:
        return _reject(one, "ROW_UNREADABLE", f"can't be written as JSON: {error}")
    if len(row) > ROW_BYTES:
        return _reject(one, "ROW_TOO_LARGE", f"has {len(row)} bytes; a row has at most {ROW_BYTES}")
    return row


def _reject(row: SourceRow, code: str, message: str, field: str = "") -> Reject:
    beginning: dict[str, Any] = {
        name: value[:100] for name, value in row.data.items() if isinstance(value, str)
    }
    text = repr(beginning).encode(errors="replace").decode()[:1000]
    return Reject(
        file=row.file, line=row.line, field=field, code=code, message=message[:1000], row=text
    )
