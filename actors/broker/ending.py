"""How the end of a delivery is written down: the five arguments of each one in settle.lua."""

import dataclasses
from typing import Any, NamedTuple

import orjson

from actors.broker.delivery import Dead, Delivery, Done, Outcome, Release, Retry
from actors.broker.history import attempts, count, fitting, room_beside


class Ended(NamedTuple):
    """One message in a settle."""

    origin: str
    entry: bytes
    verdict: str
    argument: str | bytes | int
    body: bytes


def ended(delivery: Delivery, now_ms: float) -> Ended:
    """A delivery's end; without a recorded outcome, a retry. `now_ms` is Redis's clock."""
    outcome: Outcome = delivery.outcome or Retry(1000, {})
    origin, entry = delivery.origin, delivery.entry
    match outcome:
        case Done():
            return Ended(origin, entry, "done", "", b"")
        case Release():
            return Ended(origin, entry, "release", "", b"")
        case Retry(delay=delay):
            return Ended(origin, entry, "retry", delay, _again(delivery, outcome))
        case Dead():
            return died(delivery, outcome, now_ms)


class Undelivered(NamedTuple):
    """A delivery that can't be run: it has no message, so no options."""

    origin: str
    entry: bytes
    body: bytes
    worker: str
    died_under: tuple[str, ...]
    options: dict[str, Any]


def died(one: Delivery | Undelivered, outcome: Dead, now_ms: float) -> Ended:
    """The end of a dead letter, whose report always holds `attempts`, `deliveries`, `worker` (who
    decided it) and `at` (Redis's clock, Unix ms)."""
    report = {
        "attempts": attempts(one.options),
        **outcome.report,
        "deliveries": _deliveries(one),
        "worker": one.worker,
        "at": int(now_ms),
    }
    text = orjson.dumps(report, default=repr, option=orjson.OPT_NON_STR_KEYS)
    return Ended(one.origin, one.entry, "dead", outcome.reason.encode() + b" " + text, one.body)


def _deliveries(one: Delivery | Undelivered) -> int:
    """How often it was handed to a worker, this time and those that workers did not survive."""
    return count(one.options, "deliveries") + len(one.died_under) + 1


def _again(delivery: Delivery, outcome: Retry) -> bytes:
    """The message with its options changed. A long history never makes it too long to travel."""
    changed = {**delivery.options, **outcome.options, "deliveries": _deliveries(delivery)}
    options = {name: value for name, value in changed.items() if value is not None}
    body = _with(delivery, options)
    if room_beside(len(body)) >= 0:
        return body
    room = room_beside(len(_with(delivery, {**options, "attempts": []})))
    return _with(delivery, {**options, "attempts": fitting(attempts(options), room)})


def _with(delivery: Delivery, options: dict[str, Any]) -> bytes:
    return dataclasses.replace(delivery._message, options=options).encode()
