"""Copies of an index, from which another node begins instead of building its own.

A copy is a folder with the files of one commit and MANIFEST, which is written last: a folder
without it is no copy.
"""

import contextlib
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from contracts.errors import (
    IndexBackupUnusable,
    IndexBackupUnwritable,
    IndexUnavailable,
    LiveData,
)
from contracts.position import Position
from storage.index import published as room
from storage.index.files import META, PIECE, check, committed

MANIFEST = "manifest.json"
_STAGE = "backup.stage"
_MANAGED = ".managed.json"  # the engine's list of the files that it may remove
ATTEMPTS = 20  # a merge may take files away while they are linked


class Checksum(NamedTuple):
    """Size in bytes and CRC-32 of a file."""

    size: int
    crc: int


class Manifest(NamedTuple):
    """What a copy says of itself."""

    schema_version: int
    language: str
    position: Position
    documents: int
    files: dict[str, Checksum]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


def backup(root: Path, to: Path) -> Manifest:
    """Copy the published index into the new or empty folder `to`; writing may go on meanwhile.

    Raises: IndexUnavailable, also where a file is damaged; LiveData; IndexBackupUnwritable.
    """
    current = room.read(root)
    if current is None:
        raise IndexUnavailable
    with _new(to):
        files = _copied(root, root / current.folder, to)
        manifest = Manifest(
            current.schema_version, current.language, current.position, current.documents, files
        )
        kept = manifest._asdict() | {"position": str(manifest.position)}
        with (to / MANIFEST).open("wb") as file:
            file.write(orjson.dumps(kept, default=tuple))
            file.flush()
            os.fsync(file.fileno())
    return manifest


def _copied(root: Path, folder: Path, to: Path) -> dict[str, Checksum]:
    """The files that were copied, none of them damaged. Raises: IndexUnavailable."""
    with _linked(folder, root / _STAGE) as stage:
        files = {path.name: measure(path, to / path.name) for path in sorted(stage.iterdir())}
    if damaged := check(to).damaged:
        raise IndexUnavailable(reason="the index is damaged", files=list(damaged))
    return files


def measure(path: Path, copy: Path) -> Checksum:
    """Copy a file; its checksum. Raises: OSError."""
    size = crc = 0
    with path.open("rb") as file, copy.open("xb") as written:
        while piece := file.read(PIECE):
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())
    return Checksum(size, crc)


@contextlib.contextmanager
def _new(to: Path) -> Iterator[None]:
    """`to` as an empty folder, and again where it can't be filled: no half a copy is in the way.

    Raises: LiveData; IndexBackupUnwritable for any OSError.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
        if any(to.iterdir()):
            raise LiveData(folder=str(to))
        try:
            yield
        except BaseException:
            for path in to.iterdir():
                path.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise IndexBackupUnwritable(folder=str(to), reason=str(error)) from None


@contextlib.contextmanager
def _linked(folder: Path, stage: Path) -> Iterator[Path]:
    """`stage` with links to the files of one commit, which no merge can take away."""
    shutil.rmtree(stage, ignore_errors=True)
    try:
        for _ in range(ATTEMPTS):
            stage.mkdir()
            try:
                os.link(folder / META, stage / META)  # replaced at a commit, never changed
                for name in committed(folder):
                    os.link(folder / name, stage / name)
                if (stage / META).samefile(folder / META):
                    yield stage
                    return
            except FileNotFoundError:
                _insist_it_changes(folder, stage)
            shutil.rmtree(stage)
        raise IndexUnavailable(reason="the index changes too fast to be copied")
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _insist_it_changes(folder: Path, stage: Path) -> None:
    """Raise IndexUnavailable where a file is lost, of the same commit that is staged."""
    with contextlib.suppress(FileNotFoundError):
        lost = [name for name in committed(stage) if not (folder / name).exists()]
        if lost and (stage / META).samefile(folder / META):
            raise IndexUnavailable(reason="the index is damaged", files=lost)


def read(source: Path) -> Manifest:
    """The manifest of a copy. Raises: IndexBackupUnusable."""
    try:
        kept = orjson.loads((source / MANIFEST).read_bytes())
        files = {name: Checksum(*values) for name, values in kept.pop("files").items()}
        position = Position.parse(kept.pop("position"))
        manifest = Manifest(**kept, files=files, position=position)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise IndexBackupUnusable(reason=f"no index was backed up there: {error}") from None
    if META not in files or any(Path(name).name != name for name in files):
        raise IndexBackupUnusable(reason="its list of files is damaged")
    return manifest


def copy_into(source: Path, manifest: Manifest, folder: Path) -> None:
    """Copy the files of a backup. Raises: IndexBackupUnusable for one that is not as it was."""
    for name, kept in manifest.files.items():
        try:
            found = measure(source / name, folder / name)
        except OSError as error:
            raise IndexBackupUnusable(reason=f"{name} can't be copied: {error}") from None
        if found != kept:
            raise IndexBackupUnusable(reason=f"{name} is damaged")
    if damaged := check(folder).damaged:  # before it was copied
        raise IndexBackupUnusable(reason=f"{damaged[0]} is damaged")
    (folder / _MANAGED).write_bytes(orjson.dumps(list(manifest.files)))
