"""What a delivery spends its time on: statements and searches, by name, one after the other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

MOST = 200  # steps that are kept one by one; of more, the number
SLOW = 200.0  # ms: the default of the setting


@dataclass(slots=True)
class Step:
    """`began` is time.monotonic(). A slow statement has its parameters' shape, perhaps a plan."""

    kind: str
    name: str
    began: float
    ms: float
    shape: dict[str, str] | None = None
    plan: str = ""


@dataclass(slots=True)
class Steps:
    """Of one delivery. `slow` is in ms, and says from when on a statement is looked into."""

    slow: float = SLOW
    kept: list[Step] = field(default_factory=list)
    more: int = 0

    def add(self, kind: str, name: str, began: float) -> Step:
        """A step that ends now."""
        step = Step(kind, name, began, (time.monotonic() - began) * 1000)
        if len(self.kept) < MOST:
            self.kept.append(step)
        else:
            self.more += 1
        return step


_current: ContextVar[Steps | None] = ContextVar("steps", default=None)


def current() -> Steps | None:
    """Those of the delivery that this thread works on; None where nobody wants to know."""
    return _current.get()


def watch(steps: Steps | None) -> None:
    """From here on this thread's steps are added to `steps`."""
    _current.set(steps)


@contextmanager
def step(kind: str, name: str) -> Iterator[None]:
    """What is done in this block is a step, however it ends."""
    steps = _current.get()
    if steps is None:
        yield
        return
    began = time.monotonic()
    try:
        yield
    finally:
        steps.add(kind, name, began)


def shape(values: Any, most: int = 20) -> dict[str, str]:
    """The kinds and lengths of at most `most` values, never the values."""
    if not isinstance(values, dict):
        return {}
    return {str(name)[:50]: _kind(value) for name, value in list(values.items())[:most]}


def _kind(value: Any) -> str:
    for kind, name in ((dict, "object"), (list | tuple, "list"), (str, "text"), (bytes, "bytes")):
        if isinstance(value, kind):
            return f"{name} of {len(value)}"
    return type(value).__name__
