"""The files of an index: immutable once written, so that a changed one is a damaged one.

The engine keeps no checksums: what a disk turns over in a file goes unnoticed, and answers are
wrong. FOLDER/checksums.json has those of each file as it was when a commit first had it, and its
own: a list that is lost or damaged is damage of the index, since nothing else would be noticed.
ROOT/damage.json says what was found damaged last.
"""

import contextlib
import os
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson

from storage.index.seal import seal, unseal

CHECKSUMS, _DAMAGE = "checksums.json", "damage.json"
META = "meta.json"
PIECE = 1 << 20  # bytes read at once


class ChecksumsLost(ValueError):
    """The list of checksums can't be read or is not as it was written."""


class Checksum(NamedTuple):
    """Size in bytes and CRC-32 of a file."""

    size: int
    crc: int


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
    """The names of the files, but META, that the last commit is made of, as far as they are there.

    Raises: OSError, ValueError, KeyError where META is lost or damaged.
    """
    belongs = _belonging(folder)
    return sorted(name for path in folder.iterdir() if belongs(name := path.name))


def _belonging(folder: Path) -> Callable[[str], bool]:
    """Tells of a name whether the last commit has such a file."""
    segments = orjson.loads((folder / META).read_bytes())["segments"]
    deletes = {_stem(one): _deletes(one) for one in segments}

    def belongs(name: str) -> bool:
        stem = name.partition(".")[0]
        return stem in deletes and (not name.endswith(".del") or name == deletes[stem])

    return belongs


def _stem(segment: dict[str, object]) -> str:
    return str(segment["segment_id"]).replace("-", "")


def _deletes(segment: dict[str, object]) -> str | None:
    deletes = segment.get("deletes")
    return f"{_stem(segment)}.{deletes['opstamp']}.del" if isinstance(deletes, dict) else None


def measure(path: Path, copy: Path | None = None) -> Checksum:
    """The checksum of a file, which is copied as well where `copy` says so. Raises: OSError."""
    size = crc = 0
    with path.open("rb") as file, contextlib.ExitStack() as stack:
        written = stack.enter_context(copy.open("xb")) if copy else None
        while piece := file.read(PIECE):
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            if written:
                written.write(piece)
        if written:
            written.flush()
            os.fsync(written.fileno())
    return Checksum(size, crc)


def record(folder: Path, *, first: bool = False) -> None:
    """Keep the checksums of files that were not there before, forget those of files that went.

    The list begins with the `first` commit. One that is lost or damaged is not begun anew, as
    damaged files would become good ones: the next check finds it.
    """
    try:
        known = {} if first else recorded(folder)
    except ChecksumsLost:
        return
    belongs = _belonging(folder)
    now = {name: kept for name, kept in known.items() if belongs(name)}
    for name in set(committed(folder)) - now.keys():
        with contextlib.suppress(FileNotFoundError):  # merged away meanwhile
            now[name] = measure(folder / name)
    if now != known:
        _replace(folder / CHECKSUMS, seal(orjson.dumps(now, default=tuple)))


def recorded(folder: Path) -> dict[str, Checksum]:
    """The checksums by name. Raises: ChecksumsLost."""
    try:
        kept = orjson.loads(unseal((folder / CHECKSUMS).read_bytes()))
        return {name: Checksum(*values) for name, values in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ChecksumsLost(str(error)) from None


def check(folder: Path, after: str = "", most: int | None = None) -> Checked:
    """Compare files with their checksums: those after `after`, until `most` bytes were read.

    A file that a merge has made since the last commit has none yet.

    Raises as `committed`.
    """
    belongs = _belonging(folder)
    try:
        known = {name: kept for name, kept in recorded(folder).items() if belongs(name)}
    except ChecksumsLost:
        return Checked(1, 0, (CHECKSUMS,), "")
    files, size, last = 0, 0, ""
    damaged: list[str] = []
    for name in sorted(name for name in known if name > after):
        if most is not None and size >= most:
            return Checked(files, size, tuple(damaged), last)
        try:
            sound = measure(folder / name) == known[name]
        except OSError:
            sound = not _belonging(folder)(name)  # merged away meanwhile
        if not sound:
            damaged.append(name)
        files, size, last = files + 1, size + known[name].size, name
    return Checked(files, size, tuple(damaged), "")


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
