"""Entries that a file names: their ids, or their names at their source."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from commands.base import Failure
from contracts.bulk import IDS_MAX
from contracts.mappings import Shape

BYTES_MAX = 500_000  # of the names in one selection: it travels in one message


def selections(
    ids: tuple[UUID, ...], file: Path | None, source: str | None
) -> Iterator[dict[str, tuple[str, ...]]]:
    """The ids of the command line and of the file, as many at a time as a selection takes.

    Ids and external ids go apart, since all conditions of a selection must hold.
    Raises: Failure, before the first of them.
    """
    found: dict[str, list[str]] = {"ids": [str(one) for one in ids], "external_ids": []}
    for number, line in enumerate(_lines(file) if file else (), 1):
        if line:
            kind, name = _named(line, number)
            if kind == "external_ids" and not source:
                raise Failure(
                    f"line {number}: {name[:60]!r} is no id of an entry. Where it is an external "
                    "id, name its source: --source.",
                    "ID_INVALID",
                    2,
                )
            found[kind].append(name)
    for kind, names in found.items():
        for some in _portions(names):
            yield {kind: some}


def _lines(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: {error}", "SOURCE_UNREADABLE", 2) from None


def _named(line: str, number: int) -> tuple[str, str]:
    """Which kind of id a line holds, and the id. A row's own `id` goes before its external one."""
    if not line.startswith("{"):
        return ("ids", str(UUID(line))) if _is_uuid(line) else ("external_ids", line)
    from pipelines.mapping import name_in

    try:
        row: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        reason = f"line {number}: {line[:60]!r} is no JSON: {error}"
        raise Failure(reason, "ID_INVALID", 2) from None
    if _is_uuid(own := str(row.get("id", ""))):
        return "ids", str(UUID(own))
    name = name_in(row, Shape())
    if name is None:
        raise Failure(f"line {number}: {line[:60]!r} has no id.", "ID_INVALID", 2)
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
