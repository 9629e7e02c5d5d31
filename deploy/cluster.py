"""A PostgreSQL cluster's beginnings: made whole or not at all, with a secret of its own."""

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.accounts import hand_over
from deploy.folder import DataFolder, sync_folder, write_secret
from deploy.process import Identity

ROLE = "casebook"

Run = Callable[[list[str], int], bool]
"""Runs a command with a file descriptor as its standard input; whether it exited with 0."""


def create(folder: DataFolder, found: Path, identity: Identity, run: Run) -> bool:
    """Make DATA/postgres with `initdb`; False, and no trace of it, when that failed.

    It's made beside its place and renamed when it's complete and on disk, so that a kill in the
    middle leaves nothing that looks like a cluster.
    """
    for left_over in folder.path.glob("postgres.new-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    if not folder.secret.exists():
        write_secret(folder.secret, secrets.token_urlsafe(32))
    staged = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=folder.path))
    try:
        hand_over(staged, identity)
        hand_over(folder.secret, identity)
        if not run(_initdb(found, staged, folder.secret), subprocess.DEVNULL):
            return False
        staged.replace(folder.postgres)
        sync_folder(folder.path)
        return True
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def replace_secret(folder: DataFolder, found: Path, identity: Identity, run: Run) -> bool:
    """Give the role a new secret after DATA/postgres.secret was lost; False when that failed.

    The file is written last, so that a kill in between leaves it missing and this is repeated.
    """
    secret = secrets.token_urlsafe(32)
    with tempfile.TemporaryFile() as statement:
        statement.write(f"ALTER ROLE {ROLE} PASSWORD '{secret}'\n".encode())
        statement.seek(0)
        # Not even a failing statement may be logged: it holds the secret.
        silent = ["-c", "log_min_error_statement=panic", "-c", "log_statement=none"]
        command = [str(found / "postgres"), "--single", "-D", str(folder.postgres), *silent]
        if not run([*command, "postgres"], statement.fileno()):
            return False
    write_secret(folder.secret, secret)
    return True


def _initdb(found: Path, staged: Path, secret: Path) -> list[str]:
    return [
        str(found / "initdb"),
        *("--pgdata", str(staged)),
        *("--username", ROLE),
        *("--pwfile", str(secret)),
        *("--auth", "scram-sha-256"),
        *("--encoding", "UTF8"),
        *_locale(found),
        "--no-instructions",
    ]


def _locale(found: Path) -> list[str]:
    """Sorting by code point, as fast as `C`; from 17 on with upper and lower case beyond ASCII."""
    version = subprocess.run(
        [found / "initdb", "--version"], capture_output=True, text=True, check=False
    )
    major = "".join(version.stdout.rpartition(" ")[2].partition(".")[0].split())
    if major.isdigit() and int(major) >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--no-locale"]
