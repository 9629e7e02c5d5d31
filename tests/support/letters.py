"""Reading a queue's dead letters, waiting for them on the stream itself."""

from typing import Any, NamedTuple

import orjson
from redis import Redis

from actors.broker.keys import QueueKeys
from tests.support.waiting import SOON


class Letter(NamedTuple):
    """One dead letter."""

    body: bytes
    reason: str
    report: dict[str, Any]

    @property
    def args(self) -> list[Any]:
        """The arguments of the message that it was."""
        args: list[Any] = orjson.loads(self.body)["args"]
        return args


def letters(redis: Redis, keys: QueueKeys, count: int) -> list[Letter]:
    """The first `count` dead letters (all of them for 0). Fails when they don't come."""
    found: list[Letter] = []
    last: bytes = b"0"
    while count == 0 or len(found) < count:
        block = None if count == 0 else int(SOON * 1000)
        answer: Any = redis.xread({keys.dead: last}, block=block)
        if not answer:
            break
        for entry, fields in answer[0][1]:
            last = entry
            report = orjson.loads(fields[b"report"])
            found.append(Letter(fields[b"body"], fields[b"reason"].decode(), report))
    assert count == 0 or len(found) == count, found
    return found
