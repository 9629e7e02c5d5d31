"""Fires periodic messages: every worker does, and Redis keeps each tick to one message."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import dramatiq

from actors.broker import scripts
from actors.broker.broker import StreamsBroker
from actors.broker.keys import GROUP
from actors.broker.link import Link
from contracts.errors import QueueFull, QueueUnavailable

log = logging.getLogger(__name__)

READ_CLOCK = 5.0  # seconds: how soon it is noticed that Redis's clock was set
AGAIN = 1.0  # seconds until a tick that failed is tried again
MILLISECOND = timedelta(milliseconds=1)


class Asks(Protocol):
    """What makes messages: an Operation."""

    def message(
        self, request: Any, *, queue: str | None = None, **options: Any
    ) -> dramatiq.Message[Any]:
        """A message that asks for it."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """A message that is sent `every` so often, `offset` after the full interval (Unix time).

    `name` is for good: the last tick is kept under it. The message's id is `cron:NAME:TICK`.
    """

    name: str
    every: timedelta
    operation: Asks
    request: Any  # or a function that makes it, of the moment at which it is sent
    offset: timedelta = timedelta(0)
    queue: str | None = None  # the operation's own where none is given

    def tick(self, now_ms: float) -> int:
        """The newest tick that is due at `now_ms`, both Unix ms."""
        every, offset = self.every // MILLISECOND, self.offset // MILLISECOND
        return (int(now_ms) - offset) // every * every + offset

    def message(self, tick: int) -> dramatiq.Message[Any]:
        """What is sent at `tick`."""
        request = self.request() if callable(self.request) else self.request
        message = self.operation.message(request, queue=self.queue)
        return message.copy(message_id=f"cron:{self.name}:{tick}")


class Ticker(threading.Thread):
    """Calls tick.lua at each tick of each row of `schedule`.

    Any number of processes may do so and none leads: the first to come at a tick sends its
    message. Ticks that nobody was there for are caught up by one message, the newest, and so is
    the first tick ever of a row, which fires at once. A tick whose like still waits undelivered
    is not added. Ticks are on Redis's clock, the wall clock plays no part.

    Raises dramatiq.QueueNotFound for a row whose queue is not declared.
    """

    def __init__(self, broker: StreamsBroker, schedule: Sequence[Periodic]) -> None:
        super().__init__(name="ticker", daemon=True)
        self._broker = broker
        self._schedule = schedule
        for row in schedule:
            broker.keys(row.message(0).queue_name)  # now, rather than at its first tick
        self._link = Link(broker.url)
        self._fired: dict[str, int] = {}  # the tick of each row that was last decided here
        self._ending = threading.Event()

    def run(self) -> None:
        wait = 0.0
        while not self._ending.wait(wait):
            try:
                wait = self.fire()
            except (QueueUnavailable, QueueFull) as error:
                log.warning("ticks wait for Redis: %s", error.details.get("reason", error))
                wait = AGAIN
            except Exception:  # a server that was demoted, say; nobody else fires this schedule
                log.exception("a tick failed; trying again")
                self._link.close()
                wait = AGAIN

    def fire(self) -> float:
        """Fire what is due; seconds until the next tick, or until the clock is to be read.

        Raises: QueueUnavailable, QueueFull.
        """
        self._link.connect()
        if self._link.clock.age >= READ_CLOCK:
            self._link.clock.set(self._link.ask_one((b"TIME",)))
        for row in self._schedule:
            tick = row.tick(self._link.clock.now_ms())
            if self._fired.get(row.name) != tick and self._call(row, tick):
                self._fired[row.name] = tick
        now = self._link.clock.now_ms()
        # A tick that was not due by Redis's own clock is asked for again a moment later.
        due = [
            row.tick(now) + row.every // MILLISECOND - now
            if self._fired.get(row.name) == row.tick(now)
            else 1
            for row in self._schedule
        ]
        return min([*due, READ_CLOCK * 1000]) / 1000

    def _call(self, row: Periodic, tick: int) -> bool:
        """Whether it is decided who fires this tick."""
        message = row.message(tick)
        keys = self._broker.keys(message.queue_name)
        names = (keys.waiting, keys.delayed, keys.unique, keys.ticks)
        body = self._broker.body(message)
        like = f"cron:{row.name}"
        command = scripts.call("tick", names, row.name, tick, body, GROUP, like)
        done, time = self._link.ask_one(command)
        self._link.clock.set(time)
        if done == 1:
            self._broker.emit_after("enqueue", message, None)
            log.debug("%s is sent", message.message_id)
        return bool(done >= 0)

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        self.join()
        self._link.close()
