"""Rejected rows as their source had them, in files that are mended and imported again."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from contracts.errors import RejectsUnwritable
from contracts.imports import Reject
from pipelines.formats.dialect import DELIMITERS
from pipelines.formats.source import Found, SourceRow, Table, Unread

REASON, RAW = "_reject", "_raw"  # fields: why a row was not taken; the text that could not be read
ID = "_id"  # field: what is known of a row that could not be read
BOM = b"\xef\xbb\xbf"


class RejectsFile:
    """Where the rejected rows of one import go, chunk by chunk.

    The first rejected row says how its file is written: CSV with its own header, or NDJSON. A row
    of another kind goes to a file beside it, `NAME.2.csv`, `NAME.3.ndjson`. What is there is
    replaced when the first chunk has its answer, since an import that goes on is told of all its
    rejects again; until then it stays, as there may come to be no import.
    With `mark`, files of CSV begin with a byte order mark, which tells more than `--encoding`.

    Raises: RejectsUnwritable, from everything.
    """

    def __init__(self, path: Path, *, mark: bool = False) -> None:
        self._path = path
        self._mark = mark
        self._files: dict[Table | None, Path] = {}
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

    def add(self, sources: Iterable[Found], rejects: Iterable[Reject]) -> None:
        """Append those of a chunk's rows that were rejected, in their order. They are there when
        this returns."""
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
            fresh = table not in self._files
            if fresh:
                self._files[table] = self._beside(table)
                some.insert(0, _header(table, mark=self._mark))
            self._write(self._files[table], b"".join(some), fresh=fresh)
            self.count += len(some) - fresh

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
