"""Where every message of a queue is, read from all of its keys in one step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis

from actors.broker.keys import GROUP, QueueKeys

STREAMS = ("waiting", "suspects")


@dataclass(frozen=True)
class Place:
    """One place of one message, and what is kept with it there."""

    name: str  # waiting, delayed, delivered, suspect, dead
    consumer: str = ""  # delivered: to whom
    origin: str = ""  # delivered: from which stream
    crashes: int = 0
    died_under: tuple[str, ...] = ()
    deliveries: int = 0  # as its options say; dead: as its report does
    reason: str = ""  # dead: why


@dataclass(frozen=True)
class Queue:
    """All that there is of a queue."""

    messages: list[tuple[int, Place]]
    consumers: dict[str, dict[str, int]]  # stream → consumer → how many it has pending there
    pending: dict[str, list[tuple[bytes, str]]]  # stream → (entry, consumer)
    entries: dict[str, set[bytes]]  # stream → ids
    counts: dict[str, int]  # how deliveries ended
    others: set[str]  # keys that no message lives in


def look(redis: Redis, keys: QueueKeys) -> Queue:
    """The queue as it is now."""
    asked = redis.pipeline(transaction=True)
    for stream in STREAMS:
        key = getattr(keys, stream)
        asked.xrange(key)
        asked.xpending_range(key, GROUP, "-", "+", 10_000)  # type: ignore[no-untyped-call]  # redis-py's
        asked.xinfo_consumers(key, GROUP)
    asked.xrange(keys.dead)
    asked.zrange(keys.delayed, 0, -1)
    asked.hgetall(keys.counts)
    asked.keys(keys.waiting.removesuffix("waiting").replace("{", "[{]") + "*")
    *of_streams, dead, delayed, ended, every = asked.execute()
    counts = {name.decode(): int(count) for name, count in ended.items()}
    found, consumers, pending, entries = [], {}, {}, {}
    for place, stream in enumerate(STREAMS):
        lying, holding, known = of_streams[3 * place : 3 * place + 3]
        pending[stream] = [(one["message_id"], one["consumer"].decode()) for one in holding]
        consumers[stream] = {one["name"].decode(): one["pending"] for one in known}
        entries[stream] = {entry for entry, _ in lying}
        found += list(_lying(stream, lying, dict(pending[stream])))
    found += [_dead(fields) for _, fields in dead]
    found += [_delayed(member) for member in delayed]
    places = {getattr(keys, name) for name in (*STREAMS, "dead", "delayed", "counts")}
    others = {key.decode() for key in every} - places
    return Queue(found, consumers, pending, entries, counts, others)


def _lying(stream: str, lying: list[Any], holders: dict[bytes, str]) -> Iterator[tuple[int, Place]]:
    for entry, fields in lying:
        if b"body" not in fields:
            continue  # a wake marker
        number, deliveries = _read(fields[b"body"])
        kept = {
            "crashes": int(fields[b"crashes"]),
            "died_under": tuple(orjson.loads(fields.get(b"workers", b"[]"))),
            "deliveries": deliveries,
        }
        if entry in holders:
            yield number, Place("delivered", consumer=holders[entry], origin=stream, **kept)
        else:
            yield number, Place("suspect" if stream == "suspects" else "waiting", **kept)


def _dead(fields: dict[bytes, bytes]) -> tuple[int, Place]:
    report = orjson.loads(fields[b"report"])
    reason = fields[b"reason"].decode()
    return _read(fields[b"body"])[0], Place("dead", deliveries=report["deliveries"], reason=reason)


def _delayed(member: bytes) -> tuple[int, Place]:
    crashes, _, body = member.partition(b" ")
    number, deliveries = _read(body)
    return number, Place("delayed", crashes=int(crashes), deliveries=deliveries)


def _read(body: bytes) -> tuple[int, int]:
    """A message's number, and how often its options say that it was delivered."""
    message = orjson.loads(body)
    return message["args"][0], message["options"].get("deliveries", 0)
