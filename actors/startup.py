"""How a process starts: in phases, each timed, told in the log and to whoever asks.

What can't be done yet (PostgreSQL is away, the schema is an older one, there is no index) does not
keep the process from what it can do: it begins to work, and the phase is tried until it is over.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from redis.exceptions import RedisError

from actors.broker.keys import PROCESSES
from actors.broker.link import Link
from contracts.errors import CasebookError, IndexUnavailable, SchemaMissing
from contracts.search import SearchQuery
from contracts.system import ProcessState
from storage.index.searcher import IndexReader
from storage.postgres.migrations import missing
from storage.postgres.store import Store

log = logging.getLogger(__name__)

READY = "ready"
AGAIN = 1.0  # seconds between two tries of what is not over
TELL = 60.0  # seconds between two signs of life
FORGOTTEN = 180.0  # seconds without one: the process is gone

Phase = tuple[str, Callable[[], object]]


def phases(store: Store, index: IndexReader, *, searching: bool) -> list[Phase]:
    """What starts in a worker, in order; only a process that searches warms its index up."""
    found: list[Phase] = [
        ("pool", store.open),
        ("connectivity", lambda: _reached(store)),
        ("migrations", lambda: _migrated(store)),
        ("index", lambda: _opened(index)),
    ]
    if searching:
        found.append(("warm", lambda: index.search(SearchQuery(q="s0c7 failed"))))
    return found


def _reached(store: Store) -> None:
    with contextlib.suppress(SchemaMissing), store.transaction():  # that is told by the next
        pass


def _migrated(store: Store) -> None:
    if names := missing(store):
        raise SchemaMissing(reason=f"not migrated: {', '.join(names)}")


def _opened(index: IndexReader) -> None:
    if index.published() is None:
        raise IndexUnavailable


class StartUp(threading.Thread):
    """Takes a process through its phases, and says where it is for as long as it lives."""

    def __init__(self, url: str, node: str, name: str, phases: Sequence[Phase]) -> None:
        super().__init__(name="start-up", daemon=True)
        self._link = Link(url)
        self._field = f"{node}/{name}"
        self._left = list(phases)
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._ending = threading.Event()
        self.state = ProcessState(
            node=node, name=name, pid=os.getpid(), phase="", release=version("casebook")
        )

    def attempt(self) -> bool:
        """Try every phase that is not over, in order, and tell how far it came; whether all are."""
        left: list[Phase] = []
        reason = None
        for phase in self._left:
            name, step = phase
            began = self._began.setdefault(name, time.monotonic())
            try:
                step()
            except CasebookError as error:
                left.append(phase)
                reason = reason or str(error.details.get("reason") or error.message)
                continue
            took = round((time.monotonic() - began) * 1000, 1)
            self._took[name] = took
            log.info("start-up: %s took %.0f ms", name, took)
        going_on = left[0][0] if left else READY
        if left and going_on != self.state.phase:
            log.warning("start-up: %s is not over: %s", going_on, reason)
        self._left = left
        told = {"phase": going_on, "reason": reason, "ms": dict(self._took)}
        self.state = self.state.model_copy(update=told)
        self.tell()
        return not left

    def tell(self) -> None:
        """Write down where the process is; that Redis is away is told by others."""
        self.state = self.state.model_copy(update={"at": time.time()})
        body = self.state.model_dump_json().encode()
        self._send((b"HSET", PROCESSES, self._field, body))

    def run(self) -> None:
        while not self._ending.wait(AGAIN if self._left else TELL):
            if self._left:
                self.attempt()
            else:
                self.tell()

    def stop(self) -> None:
        """End the thread, and say nothing of this process any more."""
        self._ending.set()
        if self.is_alive():
            self.join()
        self._send((b"HDEL", PROCESSES, self._field))
        self._link.close()

    def _send(self, command: tuple[bytes | str, ...]) -> None:
        try:
            self._link.ask_one(command)
        except (CasebookError, RedisError) as error:
            log.debug("how far this process is could not be told: %s", error)


def processes(link: Link) -> list[ProcessState]:
    """How far each process is, those that are gone left out. Raises: QueueUnavailable."""
    found = link.ask_one((b"HVALS", PROCESSES))
    states = [ProcessState.from_reply(body) for body in found]
    living = [one for one in states if time.time() - one.at < FORGOTTEN]
    return sorted(living, key=lambda one: (one.node, one.name))
