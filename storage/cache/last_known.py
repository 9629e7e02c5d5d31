"""What is last known of entries, which are always asked for: the newest read, or write.

Beside an entry stands, under a key of its own, when the last write of it was heard of. What was
read before that is known no more, in whichever process its copy is and however late it was kept.
"""

import time
from collections.abc import Mapping

import orjson

from storage.cache.answers import KEEP, SKEW, digest
from storage.cache.layer import Kept
from storage.cache.layers import Cache


class LastKnown:
    """Entries by the key of their answer. Belongs to one event loop."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def find(self, key: str) -> Kept | None:
        """The entry as it is known, or None. The warm layer is asked as well: what is hot here may
        have been written through another process."""
        names = [key, _write_of(key)]
        warm = await self._cache.warm.mget(names) if self._cache.warm else {}
        found = [(self._cache.hot.peek_now(name), warm.get(name)) for name in names]
        entry, write = (_newest(*copies) for copies in found)
        if entry is None or not entry.body:
            return None
        return entry if write is None or entry.made_at >= write.made_at else None

    async def wrote(self, key: str, body: bytes) -> None:
        """A write was acknowledged, and has left this entry (its JSON)."""
        if _follows(body, self._cache.hot.peek_now(key)):
            now = time.time()
            values = {key: Kept(body, made_at=now), _write_of(key): Kept(b"", made_at=now)}
            await self._cache.mset(values, KEEP)

    async def gone(self, key: str) -> None:
        """The entry was deleted."""
        await self._cache.mset(none_of(key), KEEP)


def none_of(key: str) -> Mapping[str, Kept]:
    """What is kept of an entry that is gone. It is not read again, unless by a clock that is
    ahead: what seems to be read a little later is none either."""
    none = Kept(b"", made_at=time.time() + SKEW)
    return {key: none, _write_of(key): none}


def _write_of(key: str) -> str:
    return digest(b"write of " + key.encode())


def _newest(*copies: Kept | None) -> Kept | None:
    there = (copy for copy in copies if copy is not None)
    return max(there, key=lambda copy: copy.made_at, default=None)


def _follows(body: bytes, known: Kept | None) -> bool:
    """Whether an entry is no older than what is known: a write that is repeated is answered by its
    first result."""
    if known is None:
        return True
    if not known.body:
        return False
    now, before = (orjson.loads(one)["version"] for one in (body, known.body))
    return bool(now >= before)
