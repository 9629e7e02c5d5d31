"""The dead letters of a queue, until they are rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from actors.broker.keys import QueueKeys
from actors.broker.link import Link


class DeadEntry(NamedTuple):
    """One entry of a `dead` stream."""

    queue: str
    entry: str
    body: bytes
    reason: str
    report: dict[str, Any]

    @property
    def at(self) -> int:
        """When it died: Redis's clock, Unix ms."""
        return int(self.entry.partition("-")[0])


def read(link: Link, keys: QueueKeys, count: int) -> list[DeadEntry]:
    """The `count` that died first. Raises QueueUnavailable."""
    entries = link.ask_one((b"XRANGE", keys.dead, b"-", b"+", b"COUNT", count))
    return [_entry(keys.queue, entry, fields) for entry, fields in entries]


def remove(link: Link, keys: QueueKeys, entries: Sequence[DeadEntry]) -> None:
    """Take them out, once they are kept elsewhere. Raises QueueUnavailable."""
    if entries:
        link.ask_one((b"XDEL", keys.dead, *(one.entry for one in entries)))


def _entry(queue: str, entry: bytes, fields: list[bytes]) -> DeadEntry:
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    try:
        report = orjson.loads(found.get(b"report", b"{}"))
    except orjson.JSONDecodeError:
        report = {}
    reason = found.get(b"reason", b"").decode(errors="replace")
    return DeadEntry(queue, entry.decode(), found.get(b"body", b""), reason, report)
