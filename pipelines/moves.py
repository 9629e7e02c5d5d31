"""Files moved to another folder, which may be on another disk and take other names."""

import contextlib
import errno
import hashlib
import os
import shutil
from pathlib import Path

from pipelines.looks import Look, itself

LONGEST = 255  # bytes of a name, where a file system does not say
LONGEST_END = 20  # bytes of a name's extension, as of `.ndjson.gz`


def move(path: Path, target: Path, own: Look | None) -> bool:
    """Move the file, or the link, that was `own`; False where it is another one meanwhile: that
    stays where it is.

    On another disk it has its name when it is whole, and is removed here only then. Raises:
    OSError, and the file is where it was.
    """
    here = target
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(path, target)
        here = hidden(path, "moved")
        path.rename(here)
    # By what was moved: a link leads elsewhere from there.
    replaced = itself(here) != own and not os.path.lexists(path)
    if replaced:
        here.rename(path)  # in the very moment
    if here != target:
        (target if replaced else here).unlink()
    return not replaced


def hidden(path: Path, kind: str) -> Path:
    """A name of ours beside the file, however long its own is."""
    return path.with_name(f".casebook.{_short(path.name)}.{kind}")


def free(place: Path, name: str, room: int) -> Path:
    """The name in the folder, or one like it that nothing has. `room`: bytes that are added to it
    for what is laid beside."""
    target, number = place / fitted(name, longest(place) - room), 1
    while os.path.lexists(target):  # another of that name, from before
        number += 1
        target = place / fitted(f"{number}.{name}", longest(place) - room)
    return target


def longest(place: Path) -> int:
    """Bytes that a name in the folder may have."""
    said = os.pathconf(place, "PC_NAME_MAX")
    return said if said > 0 else LONGEST


def fitted(name: str, limit: int) -> str:
    """The name, or as much of it as `limit` bytes take, told apart by a digest; with its extension,
    so that it is known by it."""
    if len(os.fsencode(name)) <= limit:
        return name
    ends = Path(name).suffixes
    both, last = "".join(ends[-2:]), "".join(ends[-1:])
    end = f"~{_short(name)}" + (both if len(os.fsencode(both)) <= LONGEST_END else last)
    head = name[:limit]
    while len(os.fsencode(head + end)) > limit:
        head = head[:-1]
    return head + end


def _short(name: str) -> str:
    return hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()


def _copy(path: Path, target: Path) -> None:
    part = hidden(target, "part")
    try:
        part.unlink(missing_ok=True)  # of one that was killed
        if path.is_symlink():
            part.symlink_to(path.readlink())
        else:
            with path.open("rb") as source, part.open("xb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
            with contextlib.suppress(OSError):  # a disk that knows no owners, say
                shutil.copystat(path, part)
        part.rename(target)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
