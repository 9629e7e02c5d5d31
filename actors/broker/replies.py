"""How an answer travels: one frame on the reply list of the client that asked."""

from typing import Any, NamedTuple

import orjson

from contracts.errors import CasebookError, from_dict

OK, ERROR = b"+", b"-"


class Frame(NamedTuple):
    """`message id`, a space, `+` or `-`, then JSON: the reply's, or the error's `as_dict`."""

    message_id: str
    ok: bool
    body: bytes

    def result(self) -> bytes:
        """The reply's JSON. Raises the CasebookError that the worker answered with."""
        if self.ok:
            return self.body
        raise from_dict(orjson.loads(self.body))


def encode_reply(message_id: str, body: bytes) -> bytes:
    """The frame of a result; `body` is JSON."""
    return message_id.encode() + b" " + OK + body


def encode_error(message_id: str, error: CasebookError) -> bytes:
    """The frame of an error."""
    details: dict[str, Any] = error.as_dict()
    return message_id.encode() + b" " + ERROR + orjson.dumps(details, default=str)


def decode_frame(frame: bytes) -> Frame:
    """Raises ValueError for bytes that are no frame."""
    head, _, rest = frame.partition(b" ")
    if not rest:
        raise ValueError("not a reply frame")
    return Frame(head.decode(), rest[:1] == OK, rest[1:])
