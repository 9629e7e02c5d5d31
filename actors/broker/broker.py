"""The broker: declares queues and actors, and puts messages in their queues."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import dramatiq
from dramatiq.common import current_millis
from dramatiq.errors import QueueNotFound
from dramatiq.middleware import Callbacks, Middleware, MiddlewareError, Pipelines
from dramatiq.results import Results
from redis.exceptions import ResponseError

from actors.broker import scripts
from actors.broker.delivery import Delivery
from actors.broker.encoding import MESSAGE_MAX, ContractEncoder, encoded
from actors.broker.keys import GROUP, QUEUES, QueueKeys
from actors.broker.link import Command, Link, answered
from contracts.errors import MessageTooLarge, QueueUnavailable

log = logging.getLogger(__name__)

#: They enqueue beside the settle, in a second step that a crash can part from the first.
REFUSED_MIDDLEWARE = (Callbacks, Pipelines, Results)

ONCE_LIFETIME = 24 * 3600_000  # ms: how long a token of `enqueue_once` is remembered


class Prepared(NamedTuple):
    """A message that is ready to be sent: the one command that enqueues it."""

    message: dramatiq.Message[Any]
    command: Command
    delay: int | None


class StreamsBroker(dramatiq.Broker):
    """Dramatiq on Redis Streams (Redis 6.2 or later, Valkey).

    `url` is one of redis-py's: `redis://`, `rediss://` or `unix://`. Making a broker connects to
    nothing; each thread that enqueues gets a connection of its own when it first does.

    The options `unique` (a name: at most one message of that name is undelivered in its queue),
    `reply_to` (a client's reply list) and `deadline` (Redis's clock, Unix ms) travel with a
    message. Names of unique messages are few and stand in the code: Redis keeps each of them.
    The option `once` is a token as of `enqueue_once`; it stays behind.
    """

    def __init__(
        self,
        url: str,
        middleware: Iterable[Middleware] = (),
        *,
        once_lifetime: int = ONCE_LIFETIME,
    ) -> None:
        middleware = list(middleware)
        for one in middleware:
            if isinstance(one, REFUSED_MIDDLEWARE):
                raise ValueError(
                    f"{type(one).__name__} enqueues outside the settle step, which can lose or "
                    "double a message; use a pipeline of ours instead"
                )
        self._known_hooks: dict[str, Sequence[Callable[..., None]]] = {}
        super().__init__(middleware)
        self.url = url
        self._once_lifetime = once_lifetime
        self.resources: dict[type, Any] = {}
        self._threads = threading.local()
        # Dramatiq has one encoder a process; what it writes is JSON that any broker can read.
        dramatiq.set_encoder(ContractEncoder())

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """As Dramatiq's, but only to those that have this hook of their own: of the forty calls
        that a message made, thirty did nothing."""
        for hook in self._hooks(f"before_{signal}"):
            try:
                hook(self, *args, **kwargs)
            except MiddlewareError:
                raise
            except Exception:
                log.critical("%s failed in %r", f"before_{signal}", hook, exc_info=True)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """As `emit_before`, from the last to the first."""
        for hook in reversed(self._hooks(f"after_{signal}")):
            try:
                hook(self, *args, **kwargs)
            except Exception:
                log.critical("%s failed in %r", f"after_{signal}", hook, exc_info=True)

    def add_middleware(self, middleware: Middleware, **place: Any) -> None:
        super().add_middleware(middleware, **place)
        self._known_hooks.clear()

    def _hooks(self, name: str) -> Sequence[Callable[..., None]]:
        """The hook of each middleware that has one of its own, in order."""
        known = self._known_hooks.get(name)
        if known is None:
            empty = getattr(Middleware, name)
            hooks = [getattr(one, name) for one in self.middleware]
            known = self._known_hooks[name] = tuple(
                hook for hook in hooks if getattr(hook, "__func__", hook) is not empty
            )
        return known

    @property
    def link(self) -> Link:
        """This thread's connection."""
        if not hasattr(self._threads, "link"):
            self._threads.link = Link(self.url)
        link: Link = self._threads.link
        return link

    @property
    def delivery(self) -> Delivery | None:
        """What this thread processes, if it is a worker's and does."""
        return getattr(self._threads, "delivery", None)

    @delivery.setter
    def delivery(self, delivery: Delivery | None) -> None:
        self._threads.delivery = delivery

    def declare_actor(self, actor: dramatiq.Actor[Any, Any]) -> None:
        if "on_retry_exhausted" in actor.options:
            raise ValueError("on_retry_exhausted enqueues outside the settle step: not supported")
        super().declare_actor(actor)

    def declare_queue(self, queue_name: str) -> None:
        """Make a queue known to this process; in Redis it begins with its first message."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = QueueKeys(queue_name)
            self.emit_after("declare_queue", queue_name)

    def register_queues(self) -> None:
        """Let others know which queues there are. Raises QueueUnavailable, QueueFull."""
        self.link.ask_one((b"SADD", QUEUES, *self.queues))

    def all_queues(self) -> list[str]:
        """Every queue that any worker has read; they are declared. Raises QueueUnavailable."""
        for name in self.link.ask_one((b"SMEMBERS", QUEUES)):
            self.declare_queue(name.decode())
        return sorted(self.queues)

    def keys(self, queue_name: str) -> QueueKeys:
        """Raises dramatiq.QueueNotFound for a queue that was never declared."""
        try:
            keys: QueueKeys = self.queues[queue_name]
        except KeyError:
            raise QueueNotFound(queue_name) from None  # type: ignore[no-untyped-call]  # dramatiq's
        return keys

    def body(self, message: dramatiq.Message[Any], delay: int | None = None) -> bytes:
        """Run the enqueue hooks and encode. Raises MessageTooLarge."""
        self.emit_before("enqueue", message, delay)
        body = encoded(message)
        if len(body) > MESSAGE_MAX:
            raise MessageTooLarge(
                f"The request is {len(body)} bytes of JSON; a message holds {MESSAGE_MAX}."
            )
        return body

    def prepare(self, message: dramatiq.Message[Any], delay: int | None = None) -> Prepared:
        """Run the enqueue hooks and build the command, for a caller that sends it itself.

        Raises: MessageTooLarge, dramatiq.QueueNotFound.
        """
        keys = self.keys(message.queue_name)
        if delay:
            message = message.copy(options={"eta": current_millis() + delay})
        token = message.options.get("once")
        if token is not None:
            # Left in the body it would refuse this message's own replay.
            rest = {name: value for name, value in message.options.items() if name != "once"}
            message = replace(message, options=rest)
        body = self.body(message, delay)
        unique = message.options.get("unique") or ""
        command: Command
        if delay or unique or token is not None:
            names = (keys.waiting, keys.delayed, keys.unique, f"{keys.once}{token or ''}")
            lifetime = self._once_lifetime if token is not None else 0
            command = scripts.call("enqueue", names, body, int(delay or 0), GROUP, unique, lifetime)
        else:
            command = (b"XADD", keys.waiting, b"*", b"body", body, b"crashes", b"0")
        return Prepared(message, command, delay)

    def enqueue(
        self, message: dramatiq.Message[Any], *, delay: int | None = None
    ) -> dramatiq.Message[Any]:
        """Put a message in its queue, `delay` ms from now.

        Raises: QueueUnavailable (it may have been enqueued: asking again with the same key is
        safe), QueueFull, MessageTooLarge, dramatiq.QueueNotFound.
        """
        prepared = self.prepare(message, delay)
        self._send([prepared])
        return prepared.message

    def enqueue_once(
        self, message: dramatiq.Message[Any], token: str, *, delay: int | None = None
    ) -> bool:
        """Enqueue the first time that `token` comes to this queue in 24 hours; whether it was.

        So what was perhaps sent before a crash is sent again without harm. Raises as `enqueue`.
        """
        return self._send([self.prepare(message.copy(options={"once": token}), delay)])[0]

    def enqueue_many(self, messages: Sequence[tuple[dramatiq.Message[Any], str]]) -> list[bool]:
        """As `enqueue_once` for each (message, token), in one write: whether each was enqueued.

        Some thousands at a time: all their bodies are in memory, and Redis reads them in one go.
        Raises as `enqueue`; some may have been enqueued then, and sending all again is safe.
        """
        return self._send(
            [self.prepare(message.copy(options={"once": token})) for message, token in messages]
        )

    def _send(self, messages: Sequence[Prepared]) -> list[bool]:
        """Send in one write; whether each was enqueued. Raises as `enqueue`."""
        if not messages:
            return []
        try:
            answers = [answered(one) for one in self.link.ask(*[one.command for one in messages])]
        except ResponseError as error:  # it takes no writes now: its disk is full, say
            raise QueueUnavailable(reason=str(error)) from error
        sent = [answer != 0 for answer in answers]
        for one, was_sent in zip(messages, sent, strict=True):
            if was_sent:
                self.emit_after("enqueue", one.message, one.delay)
        return sent

    def flush(self, queue_name: str) -> None:
        """Drop a queue's waiting, delayed and suspect messages; dead letters stay."""
        keys = self.keys(queue_name)
        answers = self.link.ask(
            (b"XTRIM", keys.waiting, b"MAXLEN", 0),
            (b"XTRIM", keys.suspects, b"MAXLEN", 0),
            (b"DEL", keys.delayed),
        )
        for answer in answers:
            answered(answer)

    def flush_all(self) -> None:
        for queue_name in self.queues:
            self.flush(queue_name)

    def depth(self, queue_name: str) -> dict[str, int]:
        """How many messages of a queue are `{waiting, suspects, delayed, dead}`.

        `waiting` counts those being processed too, and at most a few wake markers.
        """
        keys = self.keys(queue_name)
        answers = self.link.ask(
            (b"XLEN", keys.waiting),
            (b"XLEN", keys.suspects),
            (b"ZCARD", keys.delayed),
            (b"XLEN", keys.dead),
        )
        names = ("waiting", "suspects", "delayed", "dead")
        return {name: int(answered(n)) for name, n in zip(names, answers, strict=True)}
