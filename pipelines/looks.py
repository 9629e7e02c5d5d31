"""What a file is at one moment, and what is the matter with one that can't be read."""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from contracts.errors import SourceUnreadable
from pipelines.formats.paths import told


class Look(NamedTuple):
    """A file at one moment: where two looks agree, nothing was written in between."""

    size: int
    mtime_ns: int
    inode: int


def look_at(path: Path) -> Look | None:
    """The file as it is now; None where there is none that can be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _look(status) if stat.S_ISREG(status.st_mode) else None


def itself(path: Path) -> Look | None:
    """The file, or the link, as it is now; None where there is none."""
    try:
        return _look(path.lstat())
    except OSError:
        return None


def trouble_with(path: Path) -> SourceUnreadable | None:
    """Why what has this name can't be looked at: a link that leads in a circle, say, or nowhere.
    None where it can be, and where nothing has the name."""
    try:
        path.stat()
    except OSError as error:
        return unreadable(path, error) if os.path.lexists(path) else None
    return None


def is_gone(path: Path) -> bool:
    """Whether there is no such file, as far as can be seen."""
    return look_at(path) is None and trouble_with(path) is None


def digest_of(path: Path) -> str:
    """A digest of the file's bytes. Raises: FileNotFoundError, SourceUnreadable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> SourceUnreadable:
    """As it is told of a file of a folder."""
    return SourceUnreadable(f"{told(path.name)} can't be read: {error.strerror}.")


def _look(status: os.stat_result) -> Look:
    return Look(status.st_size, status.st_mtime_ns, status.st_ino)
