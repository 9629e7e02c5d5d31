"""What nodes have published, for who does not see their folders: as bytes, and as one."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import orjson

from storage.index import published as room
from storage.index.current import tuned
from storage.index.freshness import Fresh


class Told(NamedTuple):
    """What one node has said."""

    #: When, in Unix ms on Redis's clock.
    at: int
    fresh: Fresh


def pack(root: Path, now: int) -> bytes | None:
    """What is published in this folder, to be told at `now` (Unix ms); None while nothing is."""
    try:
        published = (root / room.NAME).read_bytes()
    except OSError:
        return None
    return orjson.dumps({"at": now, "tuning": tuned(root), "published": orjson.Fragment(published)})


def unpack(data: bytes) -> Told | None:
    """What `pack` gave; None if it can't be read, or another release said it."""
    try:
        told = orjson.loads(data)
        published = room.parse(orjson.dumps(told["published"]))
        if published is None:
            return None
        return Told(int(told["at"]), Fresh.of(published, int(told["tuning"])))
    except (ValueError, TypeError, KeyError):
        return None


def furthest(nodes: Iterable[Told]) -> Fresh | None:
    """All of them as one, in the history of whoever spoke last: after a restore, a node that is
    gone would else be the furthest for good."""
    known = list(nodes)
    if not known:
        return None
    epoch = max(known, key=lambda one: one.at).fresh.position.epoch
    return Fresh.furthest(one.fresh for one in known if one.fresh.position.epoch == epoch)
