"""The id under which everything is told that one caller's request causes.

It is set where a request comes in, travels in a message's options, and is set again where the
message is run. A caller's own, from a W3C `traceparent` header, is taken as it is.
"""

import re
from contextvars import ContextVar

from contracts.base import new_id

#: version, trace id, parent id, flags (https://www.w3.org/TR/trace-context/#traceparent-header).
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})"
)

_traced: ContextVar[bool] = ContextVar("traced", default=False)
_acting: ContextVar[str] = ContextVar("acting", default="")
_caller: ContextVar[str] = ContextVar("caller", default="")
_parent: ContextVar[str] = ContextVar("parent", default="")
_current: ContextVar[str] = ContextVar("operation", default="")


def acting() -> str:
    """The actor that this thread runs; "" in a process that only asks."""
    return _acting.get()


def current() -> str:
    """The id of what this task or thread works for; "" where nobody began anything."""
    return _current.get()


def is_traced() -> bool:
    """Whether its caller asked for its story to be kept (the header's sampled flag)."""
    return _traced.get()


def parent() -> str:
    """The traceparent under which what is done now belongs; "" where it is the first."""
    return _parent.get()


def under(traceparent: str) -> None:
    """From here on, what this task or thread does belongs under that."""
    _parent.set(traceparent)


def caller() -> str:
    """The name of who asked for it, as far as it is known."""
    return _caller.get()


def called_by(name: str) -> None:
    """From here on, this task or thread works for somebody of that name."""
    _caller.set(name)


def enter(operation_id: str, *, traced: bool = False, actor: str = "", by: str = "") -> None:
    """From here on, this task or thread works for that operation."""
    _current.set(operation_id)
    _traced.set(traced)
    _acting.set(actor)
    _caller.set(by)
    _parent.set("")


def begin(traceparent: str | None = None) -> str:
    """Enter the caller's operation where it names one, else a new one; its id."""
    found = TRACEPARENT.match(traceparent) if traceparent else None
    operation_id = found[1] if found else new_id().hex
    enter(operation_id, traced=found is not None and int(found[2], 16) & 1 == 1)
    under(found[0] if found else "")
    return operation_id
