"""The hot layer: values in this process, bounded by the bytes that they take.

Tags here are this process's own. What others invalidate is not heard of: `storage.cache.layers`
keeps values with tags only shortly for that.
"""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter

import orjson
from cachetools import TLRUCache

from storage.cache.layer import Epochs, Kept, Layer, LayerStats
from storage.cache.times import Times

NAME = "hot"
#: What the interpreter and the cache need for one value besides its parts, in bytes.
OVERHEAD = 900
#: The largest share of the bound that one value may take.
SHARE = 1 / 16
#: Seconds; the upper bounds that reads are counted by, the wait for the lock included.
BOUNDS = (1e-6, 2.5e-6, 5e-6, 1e-5, 1e-4, 1e-3)
_ANY = "*"


class _Value:
    __slots__ = ("kept", "since", "size", "ttl")

    def __init__(self, kept: Kept, since: int, size: int, ttl: float) -> None:
        self.kept, self.since, self.size, self.ttl = kept, since, size, ttl


class _Bounded(TLRUCache[str, _Value]):
    """Counts what it has to give up before its time."""

    evictions = 0

    def popitem(self) -> tuple[str, _Value]:
        self.evictions += 1
        return super().popitem()


class Hot(Layer):
    """At most `max_bytes`; what was used longest ago goes first. Threads may share it.

    `timer` is any clock that never goes back, in seconds.
    """

    def __init__(self, max_bytes: int, timer: Callable[[], float] = time.monotonic) -> None:
        self._values = _Bounded(max_bytes, _expiry, timer=timer, getsizeof=lambda value: value.size)
        self._lock = threading.Lock()
        #: Rises with each invalidation: of a tag last at `_ended[tag]`, of everything at `_floor`.
        self._moment = 0
        self._ended: dict[str, int] = {}
        self._floor = 0
        self._hits = self._misses = self._outdated = self._refused = 0
        self._times = Times(BOUNDS)

    def get_now(self, key: str) -> Kept | None:
        """As `get`, for who has no time to wait: two dictionaries are asked."""
        began = perf_counter()
        with self._lock:
            kept = self._valid(key)
            if kept is None:
                self._misses += 1
            else:
                self._hits += 1
            self._times.count(perf_counter() - began)
            return kept

    def peek_now(self, key: str) -> Kept | None:
        """The same for who has asked before, or does not ask for himself: it is not counted."""
        with self._lock:
            return self._valid(key)

    def _valid(self, key: str) -> Kept | None:
        value = self._values.get(key)
        if value is not None and self._ended and self._is_over(value.kept.tags, value.since):
            self._values.pop(key, None)
            self._outdated += 1
            return None
        return value.kept if value is not None else None

    def set_now(self, key: str, kept: Kept, ttl: float, under: Epochs | None = None) -> None:
        """As `set`."""
        size = _size(key, kept)
        with self._lock:
            since = self._moment if under is None else int(under.get((NAME, _ANY), -1))
            if (
                size > self._values.maxsize * SHARE
                or since < self._floor
                or self._is_over(kept.tags, since)
            ):
                self._values.pop(key, None)
                self._refused += 1
                return
            self._values[key] = _Value(kept, since, size, ttl)

    def epochs_now(self) -> Epochs:
        """As `epochs`: one for all tags."""
        return {(NAME, _ANY): str(self._moment)}

    def invalidate_now(self, tags: Iterable[str]) -> None:
        """As `invalidate`."""
        with self._lock:
            self._moment += 1
            self._ended.update(dict.fromkeys(tags, self._moment))

    async def get(self, key: str) -> Kept | None:
        """The value, or None."""
        return self.get_now(key)

    async def set(self, key: str, kept: Kept, ttl: float, *, under: Epochs | None = None) -> None:
        """Keep a value, unless it alone would take more than SHARE of the bound."""
        self.set_now(key, kept, ttl, under)

    async def delete(self, key: str) -> None:
        """Forget a value."""
        with self._lock:
            self._values.pop(key, None)

    async def mget(self, keys: list[str]) -> dict[str, Kept]:
        """Those of the values that there are."""
        found = {key: self.get_now(key) for key in keys}
        return {key: kept for key, kept in found.items() if kept is not None}

    async def mset(
        self, values: Mapping[str, Kept], ttl: float, *, under: Epochs | None = None
    ) -> None:
        """Keep several."""
        for key, kept in values.items():
            self.set_now(key, kept, ttl, under)

    async def epochs(self, *tags: str) -> Epochs:
        """What `set` wants to be told, asked before the value is computed."""
        return self.epochs_now()

    async def invalidate(self, *tags: str) -> None:
        """Forget all values that have one of these tags."""
        self.invalidate_now(tags)

    async def clear(self) -> None:
        """Forget everything; what is being computed now will not be kept either."""
        with self._lock:
            self._moment += 1
            self._floor = self._moment
            self._ended.clear()
            self._values.clear()

    async def stats(self) -> tuple[LayerStats, ...]:
        """What it has done and holds."""
        return (self.stats_now(),)

    def stats_now(self) -> LayerStats:
        """As `stats`, for any thread."""
        with self._lock:
            return LayerStats(
                NAME,
                hits=self._hits,
                misses=self._misses,
                outdated=self._outdated,
                refused=self._refused,
                evictions=self._values.evictions,
                entries=len(self._values),
                bytes=int(self._values.currsize),
                max_bytes=int(self._values.maxsize),
                buckets=self._times.buckets(),
                seconds=self._times.seconds,
            )

    def _is_over(self, tags: Iterable[str], since: int) -> bool:
        return any(self._ended.get(tag, 0) > since for tag in tags)


def _expiry(_key: str, value: _Value, now: float) -> float:
    return now + value.ttl if value.ttl < math.inf else math.inf


def _size(key: str, kept: Kept) -> int:
    parts = sys.getsizeof(key) + sys.getsizeof(kept.body) + sys.getsizeof(kept.position)
    tags = sum(map(sys.getsizeof, kept.tags))
    # A dictionary's parts are objects of some 60 bytes each, of about 8 bytes of JSON.
    meta = 8 * len(orjson.dumps(dict(kept.meta))) if kept.meta else 0
    return parts + tags + meta + OVERHEAD
