"""Rejected rows as their source had them, in files that are mended and imported again."""

import contextlib
import csv
import io
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from contracts.errors import RejectsUnwritable
from contracts.imports import Reject
from pipelines.formats.dialect import DELIMITERS
from pipelines.formats.source import Found, SourceRow, Table, Unread

REASON, RAW = "_reject", "_raw"  # fields: why a row was not taken; the text that could not be read
ID = "_id"  # field: what is known of a row that could not be read
BOM = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """What one chunk has in a file: `offset` and `size` in bytes. The header's number is -1."""

    number: int
    offset: int
    size: int


class RejectsFile:
    """Where the rejected rows of one import go, chunk by chunk.

    The first rejected row says how its file is written: CSV with its own header, or NDJSON. A row
    of another kind goes to a file beside it, `NAME.2.csv`, `NAME.3.ndjson`. What is there is
    replaced when the first chunk has its answer, since an import that goes on is told of all its
    rejects again; until then it stays, as there may come to be no import. Chunks come as they are
    answered, and so they stand there until `sort`.
    With `mark`, files of CSV begin with a byte order mark, which tells more than `--encoding`.

    Raises: RejectsUnwritable, from everything.
    """

    def __init__(self, path: Path, *, mark: bool = False) -> None:
        self._path = path
        self._mark = mark
        self._files: dict[Table | None, Path] = {}
        self._blocks: dict[Path, list[Block]] = {}
        self._begun = False
        self.count = 0
        self._write(path, b"", fresh=False)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that have rows, in the order of their beginning."""
        return tuple(self._files.values())

    def begin(self) -> None:
        """Empty the file, if that has not been done."""
        if not self._begun:
            self._begun = True
            self._write(self._path, b"", fresh=True)

    def add(self, number: int, sources: Iterable[Found], rejects: Iterable[Reject]) -> None:
        """Append those rows of the chunk of this number that were rejected, in their order. They
        are there when this returns."""
        self.begin()
        why: dict[tuple[str, int], list[Reject]] = {}
        for reject in rejects:
            why.setdefault((reject.file, reject.line), []).append(reject)
        lines: dict[Table | None, list[bytes]] = {}
        for row in sources:
            said = why.get((row.file, row.line))
            if said and (isinstance(row, SourceRow) or (isinstance(row, Unread) and row.raw)):
                lines.setdefault(row.table, []).append(_line(row, said.pop(0)))
        for table, some in lines.items():
            path = self._files.get(table)
            if path is None:
                path = self._files[table] = self._beside(table)
                header = _header(table, mark=self._mark)
                self._write(path, header, fresh=True)
                self._blocks[path] = [Block(-1, 0, len(header))]
            data, before = b"".join(some), self._blocks[path]
            self._write(path, data, fresh=False)
            before.append(Block(number, before[-1].offset + before[-1].size, len(data)))
            self.count += len(some)

    def sort(self) -> None:
        """Put the rows in the order of their chunks, which is that of the source.

        All of them are there before and after it: where it fails, only their order is another. A
        place of the file is remembered for each chunk, and no more than one chunk is read at once.
        """
        for path, blocks in self._blocks.items():
            # A link may be /dev/stdout, which others have open.
            if blocks != sorted(blocks) and path.is_file() and not path.is_symlink():
                with contextlib.suppress(OSError):
                    self._blocks[path] = _rewritten(path, sorted(blocks))

    def _beside(self, table: Table | None) -> Path:
        if not self._files:
            return self._path
        extension = "ndjson" if table is None else "csv"
        return self._path.with_name(f"{self._path.name}.{len(self._files) + 1}.{extension}")

    def _write(self, path: Path, data: bytes, *, fresh: bool) -> None:
        try:
            with path.open("wb" if fresh else "ab") as file:
                file.write(data)
        except OSError as error:
            raise RejectsUnwritable(f"{path} can't be written: {error}.") from None


def _rewritten(path: Path, blocks: list[Block]) -> list[Block]:
    """Write these one after another in place of what is there; where they stand now."""
    staged, moved, offset = path.with_name(f".{path.name}.{os.getpid()}"), list[Block](), 0
    try:
        with path.open("rb") as file, staged.open("wb") as sink:
            shutil.copymode(path, staged)
            for block in blocks:
                file.seek(block.offset)
                sink.write(file.read(block.size))
                moved.append(block._replace(offset=offset))
                offset += block.size
        staged.replace(path)
        return moved
    finally:
        staged.unlink(missing_ok=True)


def _line(row: SourceRow | Unread, reject: Reject) -> bytes:
    if isinstance(row, Unread):
        fields: dict[str, Any] = {} if row.known_id is None else {ID: row.known_id}
        fields |= {RAW: row.raw.decode(errors="backslashreplace")}
    else:
        fields = {name: value for name, value in row.data.items() if name != REASON}
    why = reject.model_dump(include={"file", "line", "field", "code", "message"})
    if row.table is not None:
        return _record(row.table, fields | {REASON: orjson.dumps(why).decode()})
    try:
        return orjson.dumps(fields | {REASON: why}, default=str) + b"\n"
    except (orjson.JSONEncodeError, RecursionError):
        # JSON can't hold it: so the text of it is what there is to mend.
        text = repr(fields).encode(errors="backslashreplace").decode()
        return orjson.dumps({RAW: text, REASON: why}) + b"\n"


def _header(table: Table | None, *, mark: bool) -> bytes:
    if table is None:
        return b""
    said = "" if table.delimiter in DELIMITERS else f"sep={table.delimiter}\n"
    names = _record(table, {name: name for name in _columns(table)})
    return BOM * mark + said.encode() + names


def _columns(table: Table) -> list[str]:
    own = [name for name in table.header if name and name not in (RAW, REASON)]
    return [*own, RAW, REASON]


def _record(table: Table, cells: dict[str, Any]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\n")
    writer.writerow(cells.get(name, "") for name in _columns(table))
    return text.getvalue().encode(errors="backslashreplace")
