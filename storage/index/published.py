"""The file ROOT/published-VERSION: which folder is the index, and how far it is.

It is replaced by one rename, so whoever reads it sees the old state or the new one. Readers watch
its inode and time; writers change it under a lock. Each schema version has a file and folders of
its own: while a new release builds its index, processes of the one before go on with theirs.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from contracts.errors import IndexUnavailable
from contracts.position import Position
from storage.index.schema import SCHEMA_VERSION
from storage.index.seal import seal, unseal
from storage.index.touched import Touched

NAME, _LOCK = f"published-{SCHEMA_VERSION}", "published.lock"
_OTHERS = "published-*[0-9]"
KEEP_OTHERS = 86_400.0  # seconds that the index of another schema version stays
_WRITER_LOCK = ".tantivy-writer.lock"  # held by the engine's writer, in its folder


class WriterBusy(IndexUnavailable):
    """Another process writes this index; a folder has one writer at a time."""


class IndexMoved(IndexUnavailable):
    """This folder is no longer the index: another one was published in its place."""


class Published(NamedTuple):
    """What searches are answered from. `folder` is a name inside the root."""

    folder: str
    generation: int
    position: Position
    schema_version: int
    documents: int
    #: Whose stems and stop words its words are.
    language: str = "english"
    #: None where another release has published.
    touched: Touched | None = None


Stamp = tuple[int, int]


def stamp(root: Path) -> Stamp | None:
    """What changes whenever something is published; None while nothing is."""
    return stamp_of(root / NAME)


def stamp_of(path: Path | str) -> Stamp | None:
    """What changes whenever a file is replaced; None while there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - at every search, and four times as fast
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def read(root: Path) -> Published | None:
    """What is published; None if nothing is, or it can't be read, or is of another schema."""
    try:
        return parse((root / NAME).read_bytes())
    except OSError:
        return None


def parse(data: bytes) -> Published | None:
    """What `write` wrote; None if it can't be read, or is of another schema."""
    try:
        kept = orjson.loads(unseal(data))
        kept["position"] = Position.parse(kept["position"])
        kept["touched"] = Touched.read(kept.get("touched"))
        published = Published(**{name: kept[name] for name in kept.keys() & Published._fields})
    except (ValueError, TypeError, KeyError):
        return None
    return published if published.schema_version == SCHEMA_VERSION else None


def write(root: Path, published: Published) -> None:
    """Publish, and survive the loss of power. Call it under `changing(root)`."""
    touched = published.touched and published.touched.as_json()
    told = {"position": str(published.position), "touched": touched}
    body = seal(orjson.dumps(published._asdict() | told))
    new = root / f"{NAME}.new"
    with new.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    new.replace(root / NAME)
    _sync_folder(root)


@contextlib.contextmanager
def changing(root: Path) -> Iterator[None]:
    """Alone in changing what is published."""
    with (root / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def new_folder(root: Path) -> str:
    """Make an empty folder for an index; its name was never used before in this root."""
    numbers = [int(name.rpartition("-")[2]) for name in _folders(root)]
    name = f"v{SCHEMA_VERSION}-{max(numbers, default=0) + 1}"
    (root / name).mkdir()
    _sync_folder(root)
    return name


def keep_others(root: Path) -> None:
    """From now on what other schema versions have published stays for KEEP_OTHERS."""
    for path in _other_versions(root):
        path.touch()


def remove_others(root: Path, keep: str) -> None:
    """Remove the folders that are neither `keep` nor being written, nor of another schema version
    that is still kept. Readers keep what they hold: files that are open stay until closed."""
    kept = {keep}
    for path in _other_versions(root):
        if path.stat().st_mtime > time.time() - KEEP_OTHERS:
            with contextlib.suppress(ValueError, KeyError, TypeError):  # it was damaged
                kept.add(orjson.loads(path.read_bytes())["folder"])
        else:
            path.unlink()
    for name in _folders(root):
        if name not in kept and not _is_written(root / name):
            shutil.rmtree(root / name, ignore_errors=True)


def _other_versions(root: Path) -> list[Path]:
    return [path for path in root.glob(_OTHERS) if path.name != NAME]


def _folders(root: Path) -> list[str]:
    return [
        path.name
        for path in root.glob("v*-*")
        if path.is_dir() and path.name.rpartition("-")[2].isdigit()
    ]


def _is_written(folder: Path) -> bool:
    try:
        with (folder / _WRITER_LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
