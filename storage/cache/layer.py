"""What a layer of the cache is: the same few calls, whatever it keeps its values in."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

#: Under what a value was computed: (layer, tag) → what that layer's `epochs` told before.
Epochs: TypeAlias = Mapping[tuple[str, str], str]

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kept:
    """A value and what is known of it.

    `tags` are short names (letters, digits, `-`, `_`, `.`, `:`) that `invalidate` takes; they are
    few and of the code's own making, never a user's words. `meta` is small and fit for JSON.
    """

    body: bytes
    #: Of the change feed, which it was computed from; "": none.
    position: str = ""
    #: Unix seconds, on the clock of who made it: for telling its age, not for expiry.
    made_at: float = field(default_factory=time.time)
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class LayerStats:
    """A layer since it began; `entries`, `bytes` and `max_bytes` are None where nobody knows."""

    name: str
    hits: int = 0
    misses: int = 0
    #: Of the misses: what was damaged, and what another release or an older epoch had made.
    corrupt: int = 0
    outdated: int = 0
    #: Values that were not kept: over a bound, invalidated meanwhile, or the layer is full.
    refused: int = 0
    #: Calls that were not answered, or not in time; those while it is known to be down included.
    failed: int = 0
    evictions: int = 0
    entries: int | None = None
    bytes: int | None = None
    max_bytes: int | None = None
    #: Whether it answers.
    up: bool = True
    #: Seconds per call: (upper bound, calls up to it), the last bound is infinite; and their sum.
    buckets: tuple[tuple[float, int], ...] = ()
    seconds: float = 0.0


class Layer(Protocol):
    """One layer, or several as one. No call raises for what becomes of the layer."""

    async def get(self, key: str) -> Kept | None:
        """The value, or None: there is none, it is over, its tag was invalidated, it is damaged."""

    async def set(self, key: str, kept: Kept, ttl: float, *, under: Epochs | None = None) -> None:
        """Keep a value for `ttl` seconds.

        `under`: the epochs asked for before it was computed. It is not kept if one of its tags was
        invalidated since. Without it a value counts as computed now.
        """

    async def delete(self, key: str) -> None:
        """Forget a value."""

    async def mget(self, keys: list[str]) -> dict[str, Kept]:
        """Those of the values that there are."""

    async def mset(
        self, values: Mapping[str, Kept], ttl: float, *, under: Epochs | None = None
    ) -> None:
        """Keep several, as `set` does each."""

    async def epochs(self, *tags: str) -> Epochs:
        """Ask this before a value with these tags is computed, and give it to `set`."""

    async def invalidate(self, *tags: str) -> None:
        """Forget all values that have one of these tags, at once, however many they are."""

    async def clear(self) -> None:
        """Forget everything, at once, however much it is."""

    async def stats(self) -> tuple[LayerStats, ...]:
        """What each layer has done and holds, from the nearest on."""
