"""A backend on this machine yields the CPU as the process that it works for does."""

import contextlib
import os
from pathlib import Path
from typing import Any

import psycopg

LOCAL = ("/", "127.", "::1", "localhost")  # how a host begins that is this machine


def yield_likewise(connection: psycopg.Connection[Any]) -> None:
    """Give the connection's backend the nice value of this process, where it can be told.

    Half of what importer and indexer cost is spent in PostgreSQL: without this it would go before
    the searches that they themselves let pass. Left alone are a server on another machine, one
    whose processes are not seen from here (a container's, macOS), and one of another account.
    """
    mine, pid = os.getpriority(os.PRIO_PROCESS, 0), connection.info.backend_pid
    if mine <= 0 or not connection.info.host.startswith(LOCAL):
        return
    with contextlib.suppress(OSError):
        named = Path(f"/proc/{pid}/cmdline").read_bytes()  # whose pid it is, in our namespace
        if named.startswith(b"postgres: ") and os.getpriority(os.PRIO_PROCESS, pid) < mine:
            os.setpriority(os.PRIO_PROCESS, pid, mine)
