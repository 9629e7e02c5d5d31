"""What a message carries about its failures, and how it is kept small enough to travel.

Options are read with care: another producer may have written them.
"""

import time
import traceback
from collections.abc import Iterator
from typing import Any

import orjson

from actors.broker.delivery import Delivery
from actors.broker.encoding import BOOKKEEPING, MESSAGE_MAX

HISTORY = 20  # attempts that a message carries with it
SAID, TRACED = 1_000, 4_000  # characters kept of an error's text and of its traceback

Attempts = list[dict[str, Any]]


def attempt(delivery: Delivery, error: BaseException) -> dict[str, Any]:
    """The record of a failed attempt: `at` (Redis's clock, Unix ms, when it began), `worker` (the
    consumer), `ms` (how long it ran), `error` (the class), `message`, `traceback` (its end)."""
    return {
        "at": int(delivery.started_ms),
        "worker": delivery.worker,
        "ms": max(0, int((time.monotonic() - delivery.began) * 1000)),
        "error": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": said(error),
        "traceback": _sound("".join(traceback.format_exception(error)))[-TRACED:],
    }


def attempts(options: dict[str, Any]) -> Attempts:
    """The records that a message carries, oldest first."""
    kept = options.get("attempts")
    return [one for one in kept if isinstance(one, dict)] if isinstance(kept, list) else []


def remembered(kept: Attempts) -> Attempts:
    """The first, since it tells most, and the newest."""
    return kept if len(kept) <= HISTORY else [kept[0], *kept[1 - HISTORY :]]


def count(options: dict[str, Any], name: str) -> int:
    """A counter among the options; 0 where there is none."""
    value = options.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def fitting(kept: Attempts, room: int) -> Attempts:
    """As much of the history as `room` bytes of JSON hold."""
    return next(less for less in _shorter(kept) if not less or len(orjson.dumps(less)) <= room)


def room_beside(size: int) -> int:
    """Bytes that a message may spend on its history when it is `size` bytes without it."""
    return MESSAGE_MAX + BOOKKEEPING - size


def said(error: BaseException) -> str:
    """The beginning of an error's text, as JSON can hold it."""
    try:
        text = str(error)
    except Exception:  # a bug in an error's own text must not hide the error
        text = "(its text can't be read)"
    return _sound(text)[:SAID]


def _shorter(kept: Attempts) -> Iterator[Attempts]:
    """Less and less of the history; what tells most goes last."""
    bare = [{**one, "traceback": ""} for one in kept]
    yield kept
    yield [*kept[:1], *bare[1:-1], *kept[1:][-1:]]
    yield [*kept[:1], *kept[1:][-1:]]
    yield [*bare[:1], *bare[1:][-1:]]
    yield bare[-1:]
    yield []


def _sound(text: str) -> str:
    """`text` without the lone surrogates that a file name or argument can bring into it."""
    return text.encode(errors="backslashreplace").decode()
