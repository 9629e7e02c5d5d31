"""Bounds for waits. A test that passes never waits this long."""

import asyncio
import queue
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SOON = 30.0
"""Seconds within which whatever must happen has happened, also on a slow and busy machine."""

LONG = int(2 * SOON * 1000)
"""Milliseconds that a blocking read lasts where a wake-up must be what ends it."""

QUIET = 0.3
"""Seconds of silence after which we believe that nothing follows."""


def take(signals: "queue.Queue[T]", count: int, timeout: float = SOON) -> list[T]:
    """The next `count` signals. Raises queue.Empty when one of them doesn't come."""
    return [signals.get(timeout=timeout) for _ in range(count)]


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """What `scenario` returns. Raises TimeoutError when it hangs."""
    return asyncio.run(asyncio.wait_for(scenario, 2 * SOON))


def silent(signals: "queue.Queue[T]", seconds: float = QUIET) -> bool:
    """Whether no signal comes for a while."""
    try:
        signals.get(timeout=seconds)
    except queue.Empty:
        return True
    return False
