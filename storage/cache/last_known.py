"""What is last known of entries, which are always asked for: the newest read, or write.

Beside an entry stands, under a key of its own, when the last write of it was heard of. What was
read before that is known no more, in whichever process its copy is and however late it was kept.

All of that is in the warm layer, which may lose it. So what is hot alone is given only if the
index, which every process sees, has heard of no change since.
"""

import time
from collections.abc import Callable, Mapping

import orjson

from storage.cache.answers import KEEP, SKEW, digest
from storage.cache.layer import Kept
from storage.cache.layers import Cache


class LastKnown:
    """Entries by the key of their answer. Belongs to one event loop."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def find(self, key: str, untouched: Callable[[Kept], bool]) -> Kept | None:
        """The entry as it is known, or None. The warm layer is asked as well: what is hot here may
        have been written through another process. Where it tells nothing, `untouched` decides."""
        names = [key, _write_of(key)]
        warm = await self._cache.warm.mget(names) if self._cache.warm else {}
        found = [(self._cache.hot.peek_now(name), warm.get(name)) for name in names]
        entry, write = (_newest(*copies) for copies in found)
        if entry is None or not entry.body:
            return None
        if write is not None and entry.made_at < write.made_at:
            return None
        return entry if warm or untouched(entry) else None

    async def wrote(self, key: str, left: Kept) -> None:
        """A write was acknowledged, and has left this entry (its JSON)."""
        if _follows(left.body, self._cache.hot.peek_now(key)):
            await self._tell({key: left, _write_of(key): Kept(b"", made_at=left.made_at)})

    async def gone(self, key: str) -> None:
        """The entry was deleted."""
        await self._tell(none_of(key))

    async def _tell(self, values: Mapping[str, Kept]) -> None:
        for key, kept in values.items():
            self._cache.hot.set_now(key, kept, KEEP)
        if self._cache.warm is not None:
            await self._cache.warm.tell(values, KEEP)


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
