"""One Casebook per data folder."""

import contextlib
import datetime
import fcntl
import json
import os
import shlex
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.errors import DataFolderLocked
from deploy.folder import DataFolder

PATIENCE = 0.2
"""Seconds; `holder` of another process takes the lock for an instant to see whether it's free."""


@dataclass(frozen=True)
class Holder:
    """Who holds a data folder.

    pid:   of the supervisor
    since: ISO 8601, UTC, seconds
    url:   where it serves HTTP, empty until announced
    """

    pid: int
    since: str
    url: str = ""


class DataLock:
    """The lock on DATA/lock, held by an open file, so the kernel frees it whoever dies.

    The file holds a `Holder` as JSON for people and for `casebook down`; only the lock counts.
    """

    def __init__(self, data: Path) -> None:
        self._folder = DataFolder(data)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, creating the folder. Raises: DataFolderLocked, DataFolderUnwritable."""
        with self._folder.writing():
            self._folder.create()
            # Not inheritable (Python's default): a child must not hold it after our death.
            descriptor = os.open(self._folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if not _locked(descriptor):
                    raise DataFolderLocked(self._message(_read(descriptor)))
                self._descriptor = descriptor
                self.announce("")
            except BaseException:
                self._descriptor = None
                os.close(descriptor)
                raise

    def announce(self, url: str) -> None:
        """Write where we serve, for the next one who asks."""
        if self._descriptor is None:
            raise RuntimeError("Acquire the lock before announcing something in it.")
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        held = _read(self._descriptor) if url else None
        holder = Holder(os.getpid(), held.since if held else now, url)
        with self._folder.writing():
            text = json.dumps(asdict(holder)).encode() + b"\n"
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Give the folder free; a second time changes nothing."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # only a courtesy, and the disk may be gone
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _message(self, holder: Holder | None) -> str:
        if holder is None:
            who = "by a process that didn't say who it is"
        else:
            where = f", {holder.url}" if holder.url else ""
            who = f"by pid {holder.pid} since {holder.since}{where}"
        return (
            f"The data folder {self._folder.path} is held {who}. "
            f"Stop it with `casebook down --data {shlex.quote(str(self._folder.path))}`, or choose "
            "another data folder."
        )


def holder(data: Path) -> Holder | None:
    """Who holds this folder now; None when nobody does, whatever the file still says.

    Raises: DataFolderUnwritable when the folder belongs to someone else.
    """
    folder = DataFolder(data)
    with folder.writing():
        if not folder.lock.exists():
            return None
        descriptor = os.open(folder.lock, os.O_RDWR)
    deadline = time.monotonic() + PATIENCE
    try:
        # A new holder writes who it is a moment after it has the lock.
        while not _try(descriptor) and time.monotonic() < deadline:
            if found := _read(descriptor):
                return found
            time.sleep(0.01)
        return None
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not _try(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None  # not written yet, or by another version
