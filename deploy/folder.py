"""The data folder: what is where, who may read it, and a short enough place for sockets."""

import contextlib
import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import DataFolderUnwritable
from settings import SecretFile

SOCKET_PATH_LIMIT = 100
"""Bytes; the kernels' own limits are 107 (Linux) and 103 (macOS)."""

LONGEST_SOCKET = ".s.PGSQL.5432"

_ABOUT_THE_FOLDER = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO),
    *(errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG),
    *(errno.ENOLCK, errno.EOPNOTSUPP),
}


class DataFolder:
    """The paths inside DATA; nothing is created before it is asked for.

    lock, logs/NAME.log, pids/NAME.pid, run/ (sockets, or a link to them), postgres/,
    postgres.secret, valkey/, cache/
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.lock = self.path / "lock"
        self.postgres = self.path / "postgres"
        self.secret = self.path / SecretFile.POSTGRES

    def log(self, name: str) -> Path:
        """Where the output of the child called `name` goes."""
        return self.path / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Which process the child called `name` is, for who comes after its supervisor."""
        return self.path / "pids" / f"{name}.pid"

    def create(self) -> None:
        """Make the folder, readable by its owner only, unless it is there."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def free(self) -> int:
        """Bytes that may still be written to its disk."""
        return shutil.disk_usage(self.path).free

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn an OSError about files into DataFolderUnwritable."""
        try:
            yield
        except OSError as error:
            if error.errno not in _ABOUT_THE_FOLDER:
                raise
            where = f" ({error.filename})" if error.filename else ""
            raise DataFolderUnwritable(
                f"The data folder {self.path} can't be used: {error.strerror}{where}. "
                f"What it holds was kept. Let uid {os.geteuid()} read and write there, free some "
                "space, or choose another folder."
            ) from error

    def sockets(self) -> Path:
        """The private folder for sockets: DATA/run, or where a path of that length won't do, a
        new folder of the system's temporary ones, which DATA/run then links to.
        """
        run = self.path / "run"
        if _fits(run):
            if run.is_symlink():
                run.unlink()
            run.mkdir(mode=0o700, exist_ok=True)
            return run
        if run.is_symlink() and self._private(target := run.readlink()):
            return target
        _remove(run)
        target = _short_folder()
        run.symlink_to(target)
        return target

    def known_sockets(self) -> Path:
        """As `sockets`, for who only connects: creates and changes nothing."""
        run = self.path / "run"
        return run.readlink() if run.is_symlink() else run

    def _private(self, folder: Path) -> bool:
        """Whether it's still ours: others may make a folder of that name once it was cleaned."""
        try:
            found = folder.lstat()
            owners = {os.geteuid()}
            if os.geteuid() == 0 and self.postgres.exists():
                owners.add(self.postgres.stat().st_uid)
        except OSError:
            return False
        return (
            stat.S_ISDIR(found.st_mode)
            and not stat.S_IMODE(found.st_mode) & 0o077
            and found.st_uid in owners
        )


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step that survives a power cut."""
    staged = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    staged.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fits(folder: Path) -> bool:
    """Whether sockets can be there. libpq reads a comma as the end of one host."""
    length = len(os.fsencode(folder / LONGEST_SOCKET))
    return length <= SOCKET_PATH_LIMIT and "," not in str(folder)


def _short_folder() -> Path:
    base = Path(tempfile.gettempdir())
    if not _fits(base / "casebook-XXXXXXXX"):
        base = Path("/tmp")
    return Path(tempfile.mkdtemp(prefix="casebook-", dir=base))


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
