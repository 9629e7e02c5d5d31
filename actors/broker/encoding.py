"""Messages as JSON in UTF-8."""

from typing import Any

import orjson
from dramatiq.encoder import Encoder
from pydantic import BaseModel

MESSAGE_MAX = 1024 * 1024  # bytes
#: Bytes beyond MESSAGE_MAX that a message may grow by on its way: its counters, and what tells
#: most of its history. Without them the longest message could not be tried again.
BOOKKEEPING = 16 * 1024
REPLY_MAX = 4 * 1024 * 1024  # bytes


def _embed(value: Any) -> Any:
    if isinstance(value, BaseModel):
        # What nobody asked for isn't sent: a worker of the release before would refuse a message
        # for a field that it doesn't know, though it does by itself what the default says.
        return orjson.Fragment(value.model_dump_json(exclude_defaults=True).encode())
    raise TypeError(f"{type(value).__name__} can't travel in a message")


class ContractEncoder(Encoder):
    """Dramatiq's messages with contracts among their arguments; not escaped to ASCII."""

    def encode(self, data: dict[str, Any]) -> bytes:
        return orjson.dumps(data, default=_embed)

    def decode(self, data: bytes) -> dict[str, Any]:
        fields: dict[str, Any] = orjson.loads(data)
        return fields
