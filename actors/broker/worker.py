"""A worker: threads that read the streams themselves and run every Dramatiq middleware.

Dramatiq's own Worker hands messages from a consumer thread to worker threads; that hand-off is
the largest cost left on Streams (docs/decisions/0001-broker.md).
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from dramatiq.middleware import SkipMessage

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Dead, Delivery, Done, Outcome, Reason, Release, Retry
from actors.broker.heartbeat import Heartbeat, Janitor
from actors.broker.history import count, said
from actors.broker.link import Link
from actors.broker.ticker import Periodic, Ticker
from contracts.errors import QueueFull, QueueUnavailable

log = logging.getLogger(__name__)

BLOCK = 5_000  # ms: how long an idle read lasts; also how often an idle consumer reconciles
GATHER = 0.002  # seconds: how long a finished message waits for others to be settled with it
RECONNECT = 0.1, 1.0  # seconds: first and longest pause while Redis is away
UNKNOWN_FOR = 15 * 60_000  # ms: how long a rolling deploy may take to bring an actor
UNKNOWN_PAUSE = 1_000, 60_000  # ms: first and longest pause between two tries of it


@dataclass(frozen=True, slots=True)
class Reading:
    """How a worker reads a queue: `threads` readers, each taking up to `prefetch` at once.

    Prefetch 1 suits slow actors (nothing waits behind a slow neighbour), more suits tiny ones.
    """

    queue: str
    threads: int = 1
    prefetch: int = 1


class Worker:
    """Runs the messages of some queues in threads of this process, and fires a schedule."""

    def __init__(
        self,
        broker: StreamsBroker,
        readings: Sequence[Reading],
        *,
        schedule: Sequence[Periodic] = (),
        heartbeat: int = 6_000,
    ) -> None:
        self.broker = broker
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._threads = [
            Reader(broker, reading, f"{self.name}-{reading.queue}-{number}")
            for reading in readings
            for number in range(reading.threads)
        ]
        consumers = [(thread.consumer.keys, thread.consumer.name) for thread in self._threads]
        self._heartbeat = Heartbeat(broker.url, consumers, heartbeat)
        queues = [broker.keys(reading.queue) for reading in readings]
        self._janitor = Janitor(broker.url, queues, heartbeat, self.name)
        self._ticker = Ticker(broker, schedule) if schedule else None

    def start(self) -> None:
        """Start reading. Raises QueueUnavailable when Redis can't be reached now."""
        self.broker.emit_after("process_boot")  # TimeLimit's clock begins there
        self.broker.emit_before("worker_boot", self)
        self._register()
        self._heartbeat.beat()  # nobody may read before its heartbeat is seen
        for thread in (self._heartbeat, self._janitor, *self._threads):
            thread.start()
        if self._ticker is not None:
            self._ticker.start()
        self.broker.emit_after("worker_boot", self)

    def _register(self) -> None:
        try:
            self.broker.register_queues()
        except QueueFull:
            log.warning("Redis is full: this worker's queues are not listed yet")

    def stop(self, timeout: float = 30.0) -> bool:
        """Hand back what was only prefetched, wait up to `timeout` seconds for what runs.

        Returns whether all threads ended; what still runs is found by another worker later.
        """
        self.broker.emit_before("worker_shutdown", self)
        self._janitor.stop()
        if self._ticker is not None:
            self._ticker.stop()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.end()
        for thread in self._threads:
            # Again: a thread may have begun its blocking read just after the first wake-up.
            while thread.is_alive() and time.monotonic() < deadline:
                thread.join(0.2)
                thread.end()
        self._heartbeat.stop()
        self.broker.emit_after("worker_shutdown", self)
        return not any(thread.is_alive() for thread in self._threads)


class Reader(threading.Thread):
    """One thread: takes messages, runs them, settles them."""

    def __init__(self, broker: StreamsBroker, reading: Reading, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.broker = broker
        self.consumer = Consumer(Link(broker.url), broker.keys(reading.queue), name)
        self._prefetch = reading.prefetch
        self._ending = threading.Event()
        self._waker = Link(broker.url)
        self._taken: deque[Delivery] = deque()  # not begun; `end` empties it from another thread
        self._ended: list[Delivery] = []

    def end(self) -> None:
        """Ask the thread to stop after the message it runs; what it has not begun goes back now."""
        self._ending.set()
        held = self._let_go()
        try:
            if held:
                Consumer(self._waker, self.consumer.keys, self.name).settle(held)
            # An idle thread sits in a blocking read; the server ends it, with nothing taken.
            self._waker.ask((b"CLIENT", b"UNBLOCK", self.consumer.link.client_id))
        except QueueUnavailable:
            log.debug("Redis is away: %s ends by itself", self.name)
        finally:
            self._waker.close()

    def run(self) -> None:
        self.broker.emit_after("worker_thread_boot", self)
        pause = RECONNECT[0]
        while not (self._ending.is_set() and not self._taken and not self._ended):
            try:
                self.turn()
                pause = RECONNECT[0]
            except QueueUnavailable as error:
                log.warning("%s: Redis is away: %s", self.name, error.details.get("reason"))
                if self._ending.wait(pause):
                    break  # what is held stays pending and is found by its next owner
                pause = min(2 * pause, RECONNECT[1])
            except BaseException:  # a late TimeLimit interrupt must not end the thread either
                log.exception("%s: reading failed; trying again", self.name)
                # What fell out of our hands is found again over a new connection.
                self.consumer.link.close()
                self._ending.wait(RECONNECT[1])
        self._leave()
        self.broker.emit_before("worker_thread_shutdown", self)

    def turn(self) -> None:
        """Take, run and settle once. Raises: QueueUnavailable."""
        # First what an interrupted settle left: nothing may join it.
        self._settle()
        if not self._taken:
            self._taken.extend(self._take())
        self._work()

    def _take(self) -> list[Delivery]:
        return [] if self._ending.is_set() else self.consumer.take(self._prefetch, BLOCK)

    def _work(self) -> None:
        """Run what was taken; settle in small groups; the last settle takes anew."""
        gathered_since = time.monotonic()
        while (delivery := self._begin()) is not None:
            process(self.broker, delivery, self.consumer.link)
            self._ended.append(delivery)
            if self._taken and time.monotonic() - gathered_since >= GATHER:
                self._settle()
                gathered_since = time.monotonic()
        self._taken.extend(self._settle(and_take=0 if self._ending.is_set() else self._prefetch))

    def _begin(self) -> Delivery | None:
        """The next message to run; once ending, or while the queue is paused, none."""
        if self._ending.is_set() or self.consumer.paused:
            self._ended += self._let_go()
        try:
            return self._taken.popleft()
        except IndexError:
            return None

    def _let_go(self) -> list[Delivery]:
        """What is held and not begun, to be handed back."""
        held = []
        while True:
            try:
                held.append(self._taken.popleft())
            except IndexError:
                break
            held[-1].outcome = Release()
        return held

    def _settle(self, *, and_take: int = 0) -> list[Delivery]:
        if not self._ended:
            return []
        for delivery in self._ended:
            self.broker.emit_before("nack" if delivery.failed else "ack", delivery)
        taken = self.consumer.settle(self._ended, and_take=and_take)
        for delivery in self._ended:
            self.broker.emit_after("nack" if delivery.failed else "ack", delivery)
            delivery.clear_exception()
        self._ended = []
        return taken

    def _leave(self) -> None:
        try:
            self.consumer.leave()
        except QueueUnavailable:
            log.debug("%s leaves while Redis is away", self.name)
        finally:
            self.consumer.link.close()


def process(broker: StreamsBroker, delivery: Delivery, link: Link) -> None:
    """Run one delivery through the middleware and its actor; its outcome is recorded on it.

    The order of hooks is dramatiq.worker's, so that its middleware finds what it expects.
    """
    delivery.started_ms, delivery.began = link.clock.now_ms(), time.monotonic()
    broker.delivery = delivery
    if delivery.actor_name not in broker.actors:
        delivery.outcome = _unknown_actor(delivery)
        delivery.failed = isinstance(delivery.outcome, Dead)
        return
    try:
        broker.emit_before("process_message", delivery)
        result = None
        if not delivery.failed:
            # The function itself: called as an actor, it logs what nobody reads.
            result = broker.actors[delivery.actor_name].fn(*delivery.args, **delivery.kwargs)
        broker.emit_after("process_message", delivery, result=result)
    except SkipMessage as skipped:
        delivery.stuff_exception(skipped)
        if delivery.outcome is None:
            refused = Dead(Reason.REFUSED, {"error": said(skipped)})
            delivery.outcome = refused if delivery.failed else Done()
        broker.emit_after("skip_message", delivery)
    except BaseException as error:  # a worker thread survives whatever an actor raises
        delivery.stuff_exception(error)
        broker.emit_after("process_message", delivery, exception=error)
    delivery.failed = isinstance(delivery.outcome, Dead)


def _unknown_actor(delivery: Delivery) -> Outcome:
    """A newer producer may know an actor that this worker's release does not have yet."""
    since = count(delivery.options, "unknown_since") or int(delivery.started_ms)
    if delivery.started_ms - since >= UNKNOWN_FOR:
        return Dead(Reason.UNKNOWN_ACTOR, {"actor": delivery.actor_name, "since": since})
    tries = count(delivery.options, "unknown_tries")
    pause = min(UNKNOWN_PAUSE[0] * 2 ** min(tries, 30), UNKNOWN_PAUSE[1])
    log.warning("no actor %r in this release: trying again in %d ms", delivery.actor_name, pause)
    return Retry(pause, {"unknown_since": since, "unknown_tries": tries + 1})
