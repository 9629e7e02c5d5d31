"""How an answer travels: one frame on the reply list of the client that asked."""

import re
from typing import Any, NamedTuple

import orjson

from contracts.errors import CasebookError, from_dict

OK, ERROR = b"+", b"-"
SIGNS = (OK, ERROR)
WAITED = re.compile(rb"(\d+)([+-])")  # ms, and the sign


class Frame(NamedTuple):
    """`message id`, a space, `+` or `-`, then JSON: the reply's, or the error's `as_dict`.

    Where the client asked for it, what the message waited in its queue stands before the sign.
    """

    message_id: str
    ok: bool
    body: bytes
    waited_ms: int | None = None

    def result(self) -> bytes:
        """The reply's JSON. Raises the CasebookError that the worker answered with."""
        if self.ok:
            return self.body
        raise from_dict(orjson.loads(self.body))


def encode_reply(message_id: str, body: bytes, waited_ms: int | None = None) -> bytes:
    """The frame of a result; `body` is JSON."""
    return _head(message_id, waited_ms) + OK + body


def encode_error(message_id: str, error: CasebookError, waited_ms: int | None = None) -> bytes:
    """The frame of an error."""
    details: dict[str, Any] = error.as_dict()
    return _head(message_id, waited_ms) + ERROR + orjson.dumps(details, default=str)


def decode_frame(frame: bytes) -> Frame:
    """Raises ValueError for bytes that are no frame."""
    head, _, rest = frame.partition(b" ")
    if not rest:
        raise ValueError("not a reply frame")
    if rest[:1] in SIGNS:
        return Frame(head.decode(), rest[:1] == OK, rest[1:])
    told = WAITED.match(rest)
    if told is None:
        raise ValueError("not a reply frame")
    return Frame(head.decode(), told[2] == OK, rest[told.end() :], int(told[1]))


def _head(message_id: str, waited_ms: int | None) -> bytes:
    return f"{message_id} {'' if waited_ms is None else max(0, waited_ms)}".encode()
