"""Decides how a message ends. It only records the outcome; the settle step carries it out."""

import random
import time
from typing import Any

from dramatiq import Broker
from dramatiq.errors import RateLimitExceeded
from dramatiq.errors import Retry as RetryLater
from dramatiq.middleware import Middleware
from dramatiq.middleware.shutdown import Shutdown

from actors.broker.delivery import Dead, Delivery, Done, Outcome, Reason, Retry
from actors.broker.history import attempt, attempts, count, remembered
from contracts.errors import CasebookError, ValidationFailed

MAX_RETRIES = 5
BACKOFF = 500, 60_000  # ms: first and longest pause before another attempt
#: Errors that no retry can help. Empty on purpose: what looks like a bug for good (TypeError,
#: AttributeError, ImportError) is mended by the next worker of a rolling deploy, ValueError and
#: KeyError may be about an answer that differs next time, and a retry too many costs little where
#: writes are done once. An actor that knows better names its own.
FATAL: tuple[type[Exception], ...] = ()
SNOOZE = 100, 5_000  # ms: first and longest pause while the ground is away
UNKNOWN = "unknown_since", "unknown_tries"  # kept while no release at hand knows the actor


class Retries(Middleware):
    """`max_retries`, `min_backoff` and `max_backoff` (ms) resolve message → actor → default;
    `fatal`, a tuple of exception classes, actor → default."""

    def __init__(
        self,
        *,
        max_retries: int = MAX_RETRIES,
        min_backoff: int = BACKOFF[0],
        max_backoff: int = BACKOFF[1],
        fatal: tuple[type[Exception], ...] = FATAL,
    ) -> None:
        self._fatal = fatal
        self._defaults = {
            "max_retries": max_retries,
            "min_backoff": min_backoff,
            "max_backoff": max_backoff,
        }

    @property
    def actor_options(self) -> set[str]:
        return {*self._defaults, "fatal"}

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        delivery: Delivery = message
        if exception is None:
            delivery.outcome = Done()
        else:
            delivery.outcome = self._decide(broker, delivery, exception)

    def _decide(self, broker: Broker, delivery: Delivery, error: BaseException) -> Outcome:
        if is_not_yet(error):
            if "deadline" in delivery.options:
                return Done()  # a read is answered with the error: its caller decides
            return _snooze(delivery, error)
        history = remembered([*attempts(delivery.options), attempt(delivery, error)])
        if self._is_fatal(broker, delivery, error):
            if isinstance(error, CasebookError) and _is_awaited(delivery):
                return Done()  # the caller is told; nothing is left to do
            reason = Reason.INVALID if isinstance(error, ValidationFailed) else Reason.REFUSED
            return Dead(reason, {"attempts": history})
        retries = count(delivery.options, "retries")
        if retries >= self._option(broker, delivery, "max_retries"):
            if "deadline" in delivery.options:
                return Done()  # a read is its caller's to repeat; what went wrong is in the log
            return Dead(Reason.FAILED, {"attempts": history})
        pause = backoff(
            retries,
            self._option(broker, delivery, "min_backoff"),
            self._option(broker, delivery, "max_backoff"),
        )
        first = count(delivery.options, "first_failed") or history[0].get("at")
        changed = {"retries": retries + 1, "attempts": history, "first_failed": first}
        return Retry(pause, changed | _forget(delivery, "snoozes", *UNKNOWN))

    def _is_fatal(self, broker: Broker, delivery: Delivery, error: BaseException) -> bool:
        if isinstance(error, CasebookError) and not error.retryable:
            return True
        actor = broker.get_actor(delivery.actor_name)
        return isinstance(error, actor.options.get("fatal", self._fatal))

    def _option(self, broker: Broker, delivery: Delivery, name: str) -> int:
        actor = broker.get_actor(delivery.actor_name)
        for options in (delivery.options, actor.options):
            value = options.get(name)
            if isinstance(value, int) and value >= 0:  # a message's may be anyone's
                return value
        return self._defaults[name]


def is_not_yet(error: BaseException) -> bool:
    """Whether the ground is away, throttled or stopping: that never uses up an attempt."""
    if isinstance(error, CasebookError):
        return error.not_yet
    return isinstance(error, RateLimitExceeded | Shutdown | RetryLater)


def backoff(tries: int, first: int, longest: int) -> int:
    """Exponential pause in ms with jitter: between half and all of `first * 2**tries`."""
    full = min(first * 2 ** min(tries, 30), longest)
    return int(full * random.uniform(0.5, 1.0))


def _is_awaited(delivery: Delivery) -> bool:
    """Whether a caller still waits. If not, only a dead letter can tell how it ended."""
    until = delivery.options.get("awaited_until")
    now = delivery.started_ms + (time.monotonic() - delivery.began) * 1000
    awaited = until is None or now <= until
    return "reply_to" in delivery.options and awaited


def _snooze(delivery: Delivery, error: BaseException) -> Retry:
    snoozes = count(delivery.options, "snoozes")
    delay = getattr(error, "delay", None)  # an actor's own dramatiq.Retry may name it
    pause = int(delay) if delay is not None else backoff(snoozes, *SNOOZE)
    return Retry(pause, {"snoozes": snoozes + 1} | _forget(delivery, *UNKNOWN))


def _forget(delivery: Delivery, *names: str) -> dict[str, None]:
    """Removes counters whose cause is over: the next time, they begin anew."""
    return {name: None for name in names if name in delivery.options}
