"""Both layers as one: what the warm layer has becomes hot where it is asked for."""

from collections.abc import Mapping

from storage.cache.hot import Hot
from storage.cache.layer import Epochs, Kept, Layer, LayerStats

#: Seconds that a value with tags stays hot at most: another process's invalidation is heard of
#: when the warm layer is asked again.
TAGGED_TTL = 5.0


class Cache(Layer):
    """Asked from the nearest on; kept and forgotten in all."""

    def __init__(self, hot: Hot) -> None:
        self.hot = hot

    def get_now(self, key: str) -> Kept | None:
        """What the hot layer has, without waiting."""
        return self.hot.get_now(key)

    async def get(self, key: str) -> Kept | None:
        """The value, or None."""
        return self.hot.get_now(key)

    async def set(self, key: str, kept: Kept, ttl: float, *, under: Epochs | None = None) -> None:
        """Keep a value; where it has tags, hot for TAGGED_TTL at most."""
        self.hot.set_now(key, kept, _hot_ttl(kept, ttl), under)

    async def delete(self, key: str) -> None:
        """Forget a value."""
        await self.hot.delete(key)

    async def mget(self, keys: list[str]) -> dict[str, Kept]:
        """Those of the values that there are."""
        return await self.hot.mget(keys)

    async def mset(
        self, values: Mapping[str, Kept], ttl: float, *, under: Epochs | None = None
    ) -> None:
        """Keep several."""
        for key, kept in values.items():
            await self.set(key, kept, ttl, under=under)

    async def epochs(self, *tags: str) -> Epochs:
        """What `set` wants to be told, asked before the value is computed."""
        return await self.hot.epochs(*tags)

    async def invalidate(self, *tags: str) -> None:
        """Forget all values that have one of these tags."""
        await self.hot.invalidate(*tags)

    async def clear(self) -> None:
        """Forget everything."""
        await self.hot.clear()

    async def stats(self) -> tuple[LayerStats, ...]:
        """What each layer has done and holds."""
        return await self.hot.stats()


def _hot_ttl(kept: Kept, ttl: float) -> float:
    return min(ttl, TAGGED_TTL) if kept.tags else ttl
