"""As whom PostgreSQL runs: it refuses root, and its `initdb` refuses a uid without a name."""

import os
import pwd
import stat
import sys
from pathlib import Path

from deploy.process import OURSELVES, Identity, allowed


def postgres_identity(cluster: Path) -> Identity:
    """As whom to run PostgreSQL on `cluster`, which may not exist yet.

    The owner of an existing cluster is the record of who made it, so it can't disagree with the
    files: root's own was made in a user namespace, anyone else's by that account. As root, in
    order: the owner's account; a user namespace, which needs no account and reaches folders below
    private ones; where the sandbox refuses that, the account `postgres`, else `nobody`.
    """
    uid = os.geteuid()
    namespace = Identity(namespace=_a_named_uid())
    if uid != 0:
        unnamed = sys.platform == "linux" and not _named(uid)
        return namespace if unnamed and allowed(namespace) else OURSELVES
    owner = cluster.stat() if cluster.exists() else None
    if owner and owner.st_uid != 0:
        return Identity(account=(owner.st_uid, owner.st_gid))
    if sys.platform == "linux" and allowed(namespace):
        return namespace
    return Identity(account=_service_account())


def hand_over(path: Path, identity: Identity) -> None:
    """Give a file or folder of ours, with all that is in it, to the account that will use it."""
    if identity.account is None or path.lstat().st_uid == identity.account[0]:
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder, name), *identity.account, follow_symlinks=False)
    # Last, so that an interrupted walk is repeated.
    os.chown(path, *identity.account, follow_symlinks=False)


def let_pass(folder: Path, identity: Identity) -> None:
    """Let the account's group, and nobody else, pass through our private data folder."""
    if identity.account is None or folder.stat().st_mode & stat.S_IXOTH:
        return
    os.chown(folder, -1, identity.account[1])
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXGRP)


def _named(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _a_named_uid() -> int:
    """Any uid with a name will do inside a namespace; `nobody` is there nearly everywhere."""
    others = (entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return next(others, 65534)


def _service_account() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534
