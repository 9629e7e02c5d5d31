"""A backup's file: a zip of COPY streams and a manifest, whose last 64 bytes seal all before them.

Any `unzip` opens it. The seal is the SHA-256 of every byte before it, in the archive's comment: a
file that was cut short, or has one byte changed wherever it is, is told before it is used.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import ValidationError

from contracts.backup import BackupTable, Manifest
from contracts.errors import BackupDamaged
from deploy.folder import sync_folder
from storage.postgres.snapshot import Snapshot

BEGINS = b"PK\x03\x04"
SEAL = 64  # bytes, hexadecimal
PIECE = 256 * 1024  # bytes
LEVEL = 1  # of deflate: packing must not be what the snapshot waits for
MANIFEST = "manifest.json"

Report = Callable[[str, int], None]


def write(file: Path, snapshot: Snapshot, report: Report) -> Manifest:
    """Write the snapshot to a new file that only its owner reads; whole, or not at all.

    `report` hears each table's name and rows. Raises: FileExistsError, OSError.
    """
    if file.exists():
        raise FileExistsError(f"{file} is there already")
    staged = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with _private(staged) as out:
            manifest = _fill(out, snapshot, report)
            _seal(out)
        os.link(staged, file)  # unlike a rename, it refuses to take another one's place
        sync_folder(file.parent)
    finally:
        staged.unlink(missing_ok=True)
    return manifest


class Archive:
    """A backup whose every byte was checked. Raises: BackupDamaged, OSError."""

    def __init__(self, file: Path) -> None:
        self.file = file
        _check_seal(file)
        try:
            self._zip = zipfile.ZipFile(file)
            self.manifest = Manifest.model_validate_json(self._zip.read(MANIFEST))
        except (zipfile.BadZipFile, KeyError, ValidationError) as error:
            raise BackupDamaged(
                f"{file} is whole, but no backup that this release reads."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def rows(self, table: BackupTable) -> Iterator[bytes]:
        """The table's rows in COPY's text format, in pieces."""
        with self._zip.open(_member(table.name)) as member:
            while piece := member.read(PIECE):
                yield piece


def _fill(out: IO[bytes], snapshot: Snapshot, report: Report) -> Manifest:
    done = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for table in snapshot.tables():
            counted: list[int] = []
            with archive.open(_member(table.name), "w", force_zip64=True) as member:
                for piece in _gathered(snapshot.rows(table, counted)):
                    member.write(piece)
            done.append(BackupTable(name=table.name, columns=table.columns, rows=counted[0]))
            report(table.name, counted[0])
        manifest = Manifest(
            made_at=snapshot.at,
            release=version("casebook"),
            server=snapshot.server,
            migrations=snapshot.migrations,
            tables=tuple(done),
            partitions=snapshot.partitions(),
            sequences=snapshot.sequences(),
        )
        archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))
        archive.comment = bytes(SEAL)
    return manifest


def _member(table: str) -> str:
    return f"{table}.copy"


def _gathered(rows: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces: a write into a zip costs more than a short row."""
    held = bytearray()
    for row in rows:
        held += row
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held)


@contextmanager
def _private(file: Path) -> Iterator[IO[bytes]]:
    """A new file of mode 0600, on the disk when it is left."""
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())


def _seal(out: IO[bytes]) -> None:
    """Replace the comment's zeros, which are the file's end, by the digest of all before them."""
    out.flush()
    end = out.seek(-SEAL, os.SEEK_END)
    out.seek(0)
    digest = _digest(out, end)
    out.seek(end)
    out.write(digest)


def _digest(source: IO[bytes], length: int) -> bytes:
    found = hashlib.sha256()
    while length and (piece := source.read(min(PIECE, length))):
        found.update(piece)
        length -= len(piece)
    return found.hexdigest().encode()


def _check_seal(file: Path) -> None:
    with file.open("rb") as source:
        if source.read(len(BEGINS)) != BEGINS:
            raise BackupDamaged(f"{file} is no backup of Casebook. Nothing was touched.")
        end = max(source.seek(0, os.SEEK_END) - SEAL, 0)
        source.seek(0)
        digest = _digest(source, end)
        if digest != source.read(SEAL):
            raise BackupDamaged(
                f"{file} was cut short or changed since it was made: its checksum does not fit. "
                "Nothing was touched. Take another copy of it, or an older backup."
            )
