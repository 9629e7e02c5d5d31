"""The log files of child processes: appended to, bounded, quoted when something goes wrong."""

import os
from pathlib import Path
from typing import BinaryIO

LIMIT = 16 * 1024 * 1024
"""Bytes after which the next start moves a log aside, to NAME.log.1."""

TAIL = 4096
"""Bytes at most that an error message quotes."""


def appending(log: Path) -> BinaryIO:
    """Open a log at its end, for its owner only; a log over LIMIT starts anew."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if size(log) > LIMIT:
        log.replace(log.with_name(log.name + ".1"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def size(log: Path) -> int:
    """Bytes in a log, 0 when there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def tail(log: Path, since: int, lines: int = 12) -> str:
    """The last lines written after byte `since`; all of them when the log was begun anew."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            start = since if since <= end else 0
            file.seek(max(start, end - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
