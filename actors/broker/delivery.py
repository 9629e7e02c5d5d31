"""A message in a worker's hands, and how it can end."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dramatiq import Message
from dramatiq.broker import MessageProxy


class Reason(StrEnum):
    """Why a message is dead."""

    FAILED = "failed"  # its attempts are used up
    REFUSED = "refused"  # an error that no retry can help
    POISON = "poison"  # workers died under it
    UNDECODABLE = "undecodable"
    UNKNOWN_ACTOR = "unknown_actor"
    INVALID = "invalid"  # it no longer fits its actor's contract
    TOO_LARGE = "too_large"  # longer than a message may be: no producer of ours wrote it


@dataclass(frozen=True, slots=True)
class Done:
    """Processed; nothing is left of it but its reply."""


@dataclass(frozen=True, slots=True)
class Retry:
    """To be tried again after `delay` ms, with `options` changed in its body (None removes one)."""

    delay: int
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dead:
    """To be kept as a dead letter."""

    reason: Reason
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """Handed back unprocessed; nothing is counted."""


Outcome = Done | Retry | Dead | Release


class Delivery(MessageProxy):
    """One delivery of a message: its identity travels with it.

    `outcome` is recorded by middleware. Dramatiq's hooks fail open (an exception in one means
    "ack"), so a delivery that ends without an outcome is retried, never taken for done.
    """

    def __init__(
        self,
        message: Message[Any],
        *,
        origin: str,
        entry: bytes,
        crashes: int,
        body: bytes,
        worker: str = "",
        died_under: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        # Each is read several times: the proxy asks its message anew every time.
        self.message_id: str = message.message_id
        self.queue_name: str = message.queue_name
        self.actor_name: str = message.actor_name
        self.args: tuple[Any, ...] = message.args
        self.kwargs: dict[str, Any] = message.kwargs
        self.options: dict[str, Any] = message.options
        self.origin = origin
        self.entry = entry
        self.crashes = crashes
        self.body = body
        #: The consumer that holds it, and those that died while they held it, oldest first.
        self.worker = worker
        self.died_under = died_under
        self.outcome: Outcome | None = None
        #: Set by middleware: `(reply list, frame)`, sent with the settle, just before it.
        self.reply: tuple[str, bytes] | None = None
        #: Redis's clock in Unix ms when the processing began.
        self.started_ms = 0.0
        #: The same moment on this process's monotonic clock, in seconds.
        self.began = 0.0

    @property
    def waited_ms(self) -> float:
        """From its arrival in its queue: the name of a stream's entry begins with when it was put
        there, on Redis's clock."""
        return self.started_ms - int(self.entry.partition(b"-")[0])
