"""Entries that a file names: their ids, or their names at their source."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from commands.base import Failure
from contracts.bulk import IDS_MAX
from contracts.mappings import Shape

BYTES_MAX = 500_000  # of the names in one selection: it travels in one message

COLUMNS = ("id", "external_id", "_id")  # of a CSV: one of them has the ids
DELIMITERS = ",;\t|"

Value = str | dict[str, Any]


def selections(
    ids: tuple[UUID, ...], file: Path | None, source: str | None
) -> Iterator[dict[str, tuple[str, ...]]]:
    """The ids of the command line and of the file, as many at a time as a selection takes.

    Ids and external ids go apart, since all conditions of a selection must hold.
    Raises: Failure, before the first of them.
    """
    found: dict[str, list[str]] = {"ids": [str(one) for one in ids], "external_ids": []}
    for place, value in _values(file) if file else ():
        kind, name = _named(value, place)
        if kind == "external_ids" and not source:
            raise _wrong(
                f"{place}: {name[:60]!r} is no id of an entry. Where it is an external "
                "id, name its source: --source."
            )
        found[kind].append(name)
    for kind, names in found.items():
        for some in _portions(names):
            yield {kind: some}


def _wrong(reason: str) -> Failure:
    return Failure(reason, "ID_INVALID", 2)


def _text(file: Path) -> str:
    """What a file says, packed or not."""
    from pipelines.formats import encodings
    from pipelines.formats.compression import unpacked
    from pipelines.formats.source import Ahead

    try:
        with file.open("rb") as stream:
            ahead, _ = encodings.declared(unpacked(Ahead(stream)), None)
            return io.BufferedReader(ahead).read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"{file} is no text in UTF-8: see its byte {error.start + 1:,}."
    except (OSError, EOFError) as error:
        reason = f"{file}: {error}"
    raise Failure(reason, "SOURCE_UNREADABLE", 2)


def _values(file: Path) -> Iterator[tuple[str, Value]]:
    """The ids, or rows with one, that a file has, each with its place: an array of JSON, a CSV
    whose first line says which column they are in, or lines of either."""
    text = _text(file)
    if text.lstrip().startswith("["):
        yield from _items(text)
        return
    lines = text.splitlines()
    if (delimiter := _delimiter(next(filter(str.strip, lines), ""))) is not None:
        yield from _cells(csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True))
        return
    for number, line in enumerate(map(str.strip, lines), 1):
        if line:
            yield f"line {number}", _value(line, f"line {number}")


def _cells(table: "csv.DictReader[str]") -> Iterator[tuple[str, Value]]:
    """The records of a CSV, without empty cells and those beyond the header."""
    try:
        for row in table:
            cells: Value = {name.strip(): cell for name, cell in row.items() if name and cell}
            yield f"line {table.line_num}", cells
    except csv.Error as error:
        raise _wrong(f"line {table.line_num + 1}: {error}") from None


def _items(text: str) -> Iterator[tuple[str, Value]]:
    """The items of an array of ids or of rows."""
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _wrong(f"It begins as an array, and is no JSON: {error}") from None
    for number, item in enumerate(items, 1):
        if isinstance(item, bool) or not isinstance(item, str | int | dict):
            raise _wrong(f"item {number}: {orjson.dumps(item).decode()[:60]} is no id.")
        yield f"item {number}", str(item) if isinstance(item, int) else item


def _delimiter(first: str) -> str | None:
    """What stands between the cells of a CSV, if this is its first line: one names the ids."""
    if first.startswith("{"):
        return None
    for delimiter in DELIMITERS:
        cells = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        if any(cell.strip() in COLUMNS for cell in cells):
            return delimiter
    return None


def _value(line: str, place: str) -> Value:
    """A line of ids: JSON with one, or the id, which may stand in quotes as in a CSV."""
    if line.startswith("{"):
        try:
            row: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise _wrong(f"{place}: {line[:60]!r} is no JSON: {error}") from None
        return row
    if not (line.startswith('"') and line.endswith('"') and len(line) > 1):
        return line
    cells = next(csv.reader([line]))
    if len(cells) != 1:
        columns = ", ".join(COLUMNS)
        raise _wrong(
            f"{place}: {line[:60]!r} is no one id. The first line of a CSV names the column of "
            f"the ids: {columns}."
        )
    return cells[0]


def _named(value: Value, place: str) -> tuple[str, str]:
    """Which kind of id it is, and the id. A row's own `id` goes before its external one."""
    if isinstance(value, str):
        if not value.strip():
            raise _wrong(f"{place} has no id.")
        return ("ids", str(UUID(value))) if _is_uuid(value) else ("external_ids", value)
    from pipelines.mapping import name_in

    if _is_uuid(own := str(value.get("id", ""))):
        return "ids", str(UUID(own))
    name = name_in(value, Shape())
    if name is None:
        raise _wrong(f"{place}: {orjson.dumps(value).decode()[:60]!r} has no id.")
    return "external_ids", name


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _portions(names: list[str]) -> Iterator[tuple[str, ...]]:
    some: list[str] = []
    size = 0
    for name in names:
        size += len(orjson.dumps(name)) + 1
        if some and (len(some) == IDS_MAX or size > BYTES_MAX):
            yield tuple(some)
            some, size = [], len(orjson.dumps(name)) + 1
        some.append(name)
    if some:
        yield tuple(some)
