"""The id under which everything is told that one caller's request causes.

It is set where a request comes in, travels in a message's options, and is set again where the
message is run. A caller's own, from a W3C `traceparent` header, is taken as it is.
"""

import re
from contextvars import ContextVar
from typing import NamedTuple

from contracts.base import new_id

#: version, trace id, parent id, flags (https://www.w3.org/TR/trace-context/#traceparent-header).
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})"
)


class Doing(NamedTuple):
    """What a task or thread works for; empty where nobody began anything.

    id:     of the operation
    traced: whether its caller asked for its story to be kept (the header's sampled flag)
    actor:  that runs; "" in a process that only asks
    by:     the name of who asked, as far as it is known
    parent: the traceparent under which what is done now belongs; "" where it is the first
    """

    id: str = ""
    traced: bool = False
    actor: str = ""
    by: str = ""
    parent: str = ""


_doing: ContextVar[Doing] = ContextVar("doing", default=Doing())  # noqa: B039 - it can't change

#: What this task or thread does.
doing = _doing.get


def current() -> str:
    """The operation's id; "" where nobody began anything."""
    return doing().id


def span_of(traceparent: str) -> str:
    """The parent id in a traceparent that is well formed: 16 hexadecimal digits."""
    return traceparent[36:52]


def under(traceparent: str) -> None:
    """From here on, what this task or thread does belongs under that."""
    _doing.set(doing()._replace(parent=traceparent))


def called_by(name: str) -> None:
    """From here on, this task or thread works for somebody of that name."""
    _doing.set(doing()._replace(by=name))


def enter(
    operation_id: str, *, traced: bool = False, actor: str = "", by: str = "", parent: str = ""
) -> None:
    """From here on, this task or thread works for that operation."""
    _doing.set(Doing(operation_id, traced, actor, by, parent))


def begin(traceparent: str | None = None) -> str:
    """Enter the caller's operation where it names one, else a new one; its id."""
    found = TRACEPARENT.match(traceparent) if traceparent else None
    operation_id = found[1] if found else new_id().hex
    traced = found is not None and int(found[2], 16) & 1 == 1
    enter(operation_id, traced=traced, parent=found[0] if found else "")
    return operation_id
