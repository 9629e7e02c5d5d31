"""What a process has to tell: gathered here, sent by a thread as one message for many."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

from contracts.errors import CasebookError

log = logging.getLogger(__name__)

GATHER = 1.0  # seconds in which things are gathered until they are sent

T = TypeVar("T")


class Outbox(threading.Thread, Generic[T]):
    """Things to be sent, the oldest first, `at_once` in a message; at most `most` are held.

    What can't be sent (`send` raises CasebookError) is kept and tried again; of more than `most`
    the oldest go, counted in `dropped`. Of two with one key `joined` makes one. A process that has
    nothing to tell wakes for nothing.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[Sequence[T]], Any],
        *,
        most: int,
        at_once: int,
        key: Callable[[T], Hashable],
        joined: Callable[[T, T], T] = lambda _old, new: new,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._send = send
        self._most = most
        self._at_once = at_once
        self._key = key
        self._joined = joined
        self._lock = threading.Lock()
        self._things: OrderedDict[Hashable, T] = OrderedDict()
        self._some = threading.Event()
        self._ending = threading.Event()
        #: Things that were never sent, since the process began.
        self.dropped = 0

    @property
    def held(self) -> int:
        """Things that are not sent yet."""
        return len(self._things)

    def put(self, thing: T) -> None:
        """Add one; nothing is waited for."""
        key = self._key(thing)
        with self._lock:
            known = self._things.get(key)
            self._things[key] = thing if known is None else self._joined(known, thing)
            self._bound()
        self._some.set()

    def run(self) -> None:
        while not self._ending.is_set():
            self._some.wait()
            self._ending.wait(GATHER)
            self.flush()

    def flush(self) -> None:
        """Send what there is."""
        self._some.clear()
        while batch := self._taken():
            try:
                self._send(batch)
            except CasebookError as error:
                log.info("%d %s are told later: %s", len(batch), self.name, error.message)
                self._give_back(batch)
                return

    def stop(self) -> None:
        """Send what there is and end."""
        self._ending.set()
        self._some.set()
        self.join()

    def _taken(self) -> list[T]:
        with self._lock:
            count = min(self._at_once, len(self._things))
            return [self._things.popitem(last=False)[1] for _ in range(count)]

    def _give_back(self, batch: list[T]) -> None:
        with self._lock:
            for thing in reversed(batch):
                key = self._key(thing)
                newer = self._things.get(key)
                self._things[key] = thing if newer is None else self._joined(thing, newer)
                self._things.move_to_end(key, last=False)
            self._bound()
        self._some.set()

    def _bound(self) -> None:
        while len(self._things) > self._most:
            self._things.popitem(last=False)
            self.dropped += 1
