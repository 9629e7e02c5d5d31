"""Both layers as one: what the warm layer has becomes hot where it is asked for."""

from collections.abc import Mapping
from typing import Self

from storage.cache.hot import Hot
from storage.cache.layer import Epochs, Kept, Layer, LayerStats
from storage.cache.warm import Warm

#: Seconds that a value with tags stays hot at most: another process's invalidation is heard of
#: when the warm layer is asked again.
TAGGED_TTL = 5.0


class Cache(Layer):
    """Asked from the nearest on; kept and forgotten in all. Without `warm` the hot layer is all."""

    def __init__(self, hot: Hot, warm: Warm | None = None) -> None:
        self.hot = hot
        self.warm = warm

    def get_now(self, key: str) -> Kept | None:
        """What the hot layer has, without waiting."""
        return self.hot.get_now(key)

    async def fetch(self, key: str, *, again: bool = False) -> Kept | None:
        """What the layers behind the hot one have, for who has asked `get_now` before.

        Asked `again` for one question, it does not count as another miss.
        """
        return (await self._fetch([key], again=again)).get(key)

    async def get(self, key: str) -> Kept | None:
        """The value, or None."""
        return self.get_now(key) or await self.fetch(key)

    async def set(self, key: str, kept: Kept, ttl: float, *, under: Epochs | None = None) -> None:
        """Keep a value; where it has tags, hot for TAGGED_TTL at most."""
        await self.mset({key: kept}, ttl, under=under)

    async def delete(self, key: str) -> None:
        """Forget a value; other processes may have it hot until their copy's time is over."""
        if self.warm is not None:
            await self.warm.delete(key)
        await self.hot.delete(key)

    async def mget(self, keys: list[str]) -> dict[str, Kept]:
        """Those of the values that there are."""
        found = await self.hot.mget(keys)
        return found | await self._fetch([key for key in keys if key not in found])

    async def mset(
        self, values: Mapping[str, Kept], ttl: float, *, under: Epochs | None = None
    ) -> None:
        """Keep several."""
        for key, kept in values.items():
            self.hot.set_now(key, kept, _hot_ttl(kept, ttl), under)
        if self.warm is not None:
            await self.warm.mset(values, ttl, under=under)

    async def epochs(self, *tags: str) -> Epochs:
        """What `set` wants to be told, asked before the value is computed."""
        hot = self.hot.epochs_now()
        return hot if self.warm is None else {**hot, **await self.warm.epochs(*tags)}

    async def invalidate(self, *tags: str) -> None:
        """Forget all values that have one of these tags; in other processes within TAGGED_TTL."""
        # The warm layer first: what is fetched from it until then is not kept hot any more.
        if self.warm is not None:
            await self.warm.invalidate(*tags)
        self.hot.invalidate_now(tags)

    async def clear(self) -> None:
        """Forget everything here and in the warm layer; other processes keep what they have hot."""
        if self.warm is not None:
            await self.warm.clear()
        await self.hot.clear()

    async def stats(self) -> tuple[LayerStats, ...]:
        """What each layer has done and holds, from the nearest on."""
        return (*await self.hot.stats(), *(await self.warm.stats() if self.warm else ()))

    async def __aenter__(self) -> Self:
        """Leaving it drops the warm layer's connection; what is hot stays."""
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.warm is not None:
            await self.warm.__aexit__()

    async def _fetch(self, keys: list[str], *, again: bool = False) -> dict[str, Kept]:
        if self.warm is None or not keys:
            return {}
        under = self.hot.epochs_now()
        found = await self.warm.read(keys, again=again)
        for key, (kept, left) in found.items():
            self.hot.set_now(key, kept, _hot_ttl(kept, left), under)
        return {key: one.kept for key, one in found.items()}


def _hot_ttl(kept: Kept, ttl: float) -> float:
    return min(ttl, TAGGED_TTL) if kept.tags else ttl
