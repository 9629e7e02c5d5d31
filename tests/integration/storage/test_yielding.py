"""Backends of a process that yields the CPU yield it too."""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from storage.postgres.store import Store


def niceness(url: str, more: int) -> tuple[int, int]:
    """Of a process that is so much nicer than the test, and of its backend."""
    os.nice(more)
    store = Store(url, most=1)
    store.open()
    try:
        with store.transaction() as tx:
            pid = tx.connection.info.backend_pid
            return os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, pid)
    finally:
        store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="whose a process is, is read from /proc")
@pytest.mark.parametrize("more", [0, 3])
def test_a_backend_is_as_nice_as_its_process(database_url: str, more: int) -> None:
    """One that is not nicer than the server leaves its backend alone."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        mine, backend = other.submit(niceness, database_url, more).result()
    assert backend == mine == os.getpriority(os.PRIO_PROCESS, 0) + more
