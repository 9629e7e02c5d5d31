"""Shows that a worker's consumers are alive, and takes over from those that are not."""

import logging
import threading
import time
from collections.abc import Sequence

from redis.exceptions import ResponseError

from actors.broker import scripts
from actors.broker.consumer import claim_command
from actors.broker.keys import QueueKeys
from actors.broker.link import Command, Link, answered
from contracts.errors import QueueUnavailable

log = logging.getLogger(__name__)

#: A worker that died under a message this many times, while it ran alone, makes it poison.
CRASH_LIMIT = 3


class Heartbeat(threading.Thread):
    """Renews `consumers`' alive keys three times a `lifetime` (ms), on a connection of its own.

    A worker that is alive but silent for a whole lifetime (paused, cut off) loses its messages to
    others and may run them twice; every write has a key that makes that harmless.
    """

    def __init__(self, url: str, consumers: Sequence[tuple[QueueKeys, str]], lifetime: int) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._link = Link(url)
        self._consumers = consumers
        self._lifetime = lifetime
        self._ending = threading.Event()

    def beat(self) -> None:
        """Renew every key once. Raises QueueUnavailable."""
        commands: list[Command] = [
            scripts.call("beat", (keys.alive + name,), self._lifetime)
            for keys, name in self._consumers
        ]
        for answer in self._link.ask(*commands):
            answered(answer)

    def run(self) -> None:
        while not self._ending.wait(self._lifetime / 3000):
            try:
                self.beat()
            except QueueUnavailable as error:
                log.warning("heartbeat missed: %s", error.details.get("reason", error))
            except ResponseError:  # a server that was demoted, say
                log.exception("a heartbeat was refused; trying again")
                self._link.close()

    def stop(self) -> None:
        """End the thread; the consumers' keys are theirs to remove."""
        self._ending.set()
        self.join()
        self._link.close()


class Janitor(threading.Thread):
    """Claims what dead consumers of `queues` held, once a `lifetime` (ms).

    After its own (re)connect, and after a lifetime in which it could not write, it waits two
    lifetimes: a server that was away, paused or refused writes looks, for a while, like
    everyone's death. `worker` is the name under which it decides.
    """

    def __init__(
        self, url: str, queues: Sequence[QueueKeys], lifetime: int, worker: str = "janitor"
    ) -> None:
        super().__init__(name="janitor", daemon=True)
        self._link = Link(url)
        self._queues = queues
        self._worker = worker
        self._lifetime = lifetime
        self._ending = threading.Event()

    def run(self) -> None:
        lifetime, generation = self._lifetime / 1000, 0
        quiet_until = wrote_at = 0.0
        while not self._ending.wait(lifetime / 2):
            try:
                self._write()
                now = time.monotonic()
                if generation != self._link.generation or now - wrote_at > lifetime:
                    generation = self._link.generation
                    quiet_until = now + 2 * lifetime
                wrote_at = now
                if now >= quiet_until:
                    self.claim()
            except QueueUnavailable as error:
                log.warning("janitor waits for Redis: %s", error.details.get("reason", error))
            except ResponseError:  # a server that was demoted, say
                log.exception("the janitor was refused; trying again")
                self._link.close()

    def _write(self) -> None:
        """What heartbeats do, under a name that is no consumer's. Raises QueueUnavailable."""
        beat = scripts.call("beat", (self._queues[0].alive + self._worker,), self._lifetime)
        self._link.ask_one(beat)

    def claim(self) -> None:
        """Take over once, now. Raises QueueUnavailable."""
        commands = [
            claim_command(keys, crash_limit=CRASH_LIMIT, worker=self._worker)
            for keys in self._queues
        ]
        for keys, answer in zip(self._queues, self._link.ask(*commands), strict=True):
            made, poison, forgotten = answered(answer)
            if made or poison:
                log.warning(
                    "queue %s: %d messages of dead workers will be tried again, %d are poison",
                    keys.queue, made, poison,
                )  # fmt: skip
            elif forgotten:
                log.info("queue %s: forgot %d consumers that had left", keys.queue, forgotten)

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        self.join()
        self._link.close()
