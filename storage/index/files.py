"""The files of an index: immutable once written, so that a changed one is a damaged one.

At the end of each file but META the engine writes a footer: its own version, and the CRC-32 of all
before it as it was when it was written. It never compares them: what a disk turns over in a file
goes unnoticed, and answers are wrong. Here they are compared. ROOT/damage.json says what was found
damaged last.
"""

import os
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

_DAMAGE = "damage.json"
META = "meta.json"
PIECE = 1 << 20  # bytes read at once
#: The files that each segment has.
PARTS = (".fast", ".fieldnorm", ".idx", ".pos", ".store", ".term")

_FOOTER = re.compile(
    rb'\{"version":(\{"major":\d+,"minor":\d+,"patch":\d+,"index_format_version":\d+\}),'
    rb'"crc":(\d+)\}\Z'
)
_TAIL = struct.Struct("<II")  # the length of the footer in bytes, and MAGIC
_MAGIC = 1337
_END = 256  # bytes at the end of a file, in which footer and tail have room


class _Footer(NamedTuple):
    """What the engine says at the end of a file of the `size` bytes before."""

    version: bytes
    crc: int
    size: int


class Damage(NamedTuple):
    """What a check found; `folder` is the index it was found in. `noticed_at` is ISO 8601, UTC."""

    folder: str
    files: tuple[str, ...]
    noticed_at: str


class Checked(NamedTuple):
    """What one check has looked at; the next one goes on after the file `last`, "" at the end."""

    files: int
    size: int
    damaged: tuple[str, ...]
    last: str


def committed(folder: Path) -> list[str]:
    """The names of the files, but META, that the last commit is made of.

    Raises: OSError, ValueError, KeyError where META is lost or damaged.
    """
    segments = orjson.loads((folder / META).read_bytes())["segments"]
    return sorted(name for segment in segments for name in _names(segment))


def _names(segment: dict[str, object]) -> Iterator[str]:
    stem, deletes = str(segment["segment_id"]).replace("-", ""), segment.get("deletes")
    yield from (stem + part for part in PARTS)
    if isinstance(deletes, dict):
        yield f"{stem}.{deletes['opstamp']}.del"


def check(folder: Path, after: str = "", most: int | None = None) -> Checked:
    """Compare files with their footers: those after `after`, until `most` bytes were read.

    Raises as `committed`.
    """
    names = committed(folder)
    odd = _odd(folder, names)
    files, size, last = 0, 0, ""
    damaged: list[str] = []
    for name in (name for name in names if name > after):
        if most is not None and size >= most:
            return Checked(files, size, tuple(damaged), last)
        if not _is_sound(path := folder / name) or name in odd:
            if name not in committed(folder):  # merged away meanwhile
                continue
            damaged.append(name)
        files, size, last = files + 1, size + _size(path), name
    return Checked(files, size, tuple(damaged), "")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _odd(folder: Path, names: Iterable[str]) -> set[str]:
    """Those whose footers name a version of the engine that no other does. Damage, since a segment
    has many files; it is told nowhere else, and the engine opens no file of a version it does not
    know."""
    versions: dict[str, bytes] = {}
    for name in names:
        try:
            with (folder / name).open("rb") as file:
                footer = _footer(file)
        except OSError:
            continue
        if footer:
            versions[name] = footer.version
    often = Counter(versions.values())
    return {name for name, version in versions.items() if often[version] == 1}


def _is_sound(path: Path) -> bool:
    """Whether a file is there as the engine wrote it."""
    try:
        with path.open("rb") as file:
            footer = _footer(file)
            return footer is not None and _crc(file, footer.size) == footer.crc
    except OSError:
        return False


def _footer(file: BinaryIO) -> _Footer | None:
    """None of a file that is cut or damaged there."""
    whole = file.seek(0, os.SEEK_END)
    file.seek(max(0, whole - _END))
    end = file.read()
    rest, tail = end[: -_TAIL.size], end[-_TAIL.size :]
    match = _FOOTER.search(rest)
    if match is None or tail != _TAIL.pack(len(match[0]), _MAGIC):
        return None
    return _Footer(match[1], int(match[2]), whole - len(match[0]) - len(tail))


def _crc(file: BinaryIO, size: int) -> int:
    """Of the first `size` bytes."""
    file.seek(0)
    crc = 0
    while size > 0 and (piece := file.read(min(PIECE, size))):
        crc, size = zlib.crc32(piece, crc), size - len(piece)
    return crc


def note_damage(root: Path, folder: str, names: tuple[str, ...]) -> Damage:
    """Say that an index is damaged: it is not written any more, and one is built in its place."""
    found = Damage(folder, names, datetime.now(UTC).isoformat(timespec="seconds"))
    _replace(root / _DAMAGE, orjson.dumps(found._asdict()))
    return found


def damage(root: Path) -> Damage | None:
    """What was found damaged last; it is past when another folder is published."""
    try:
        kept = orjson.loads((root / _DAMAGE).read_bytes())
        return Damage(kept["folder"], tuple(kept["files"]), kept["noticed_at"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)
