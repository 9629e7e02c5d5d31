"""The layers as Prometheus sees them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from actors.metrics.caching import Caches
from storage.breaker import Breaker
from storage.cache.hot import Hot
from storage.cache.layer import Kept
from storage.cache.layers import Cache
from storage.cache.warm import Warm
from tests.support.waiting import run

Samples = dict[tuple[str, ...], float]


async def shown(cache: Cache) -> Samples:
    """What a process with this cache shows, read from another thread as it is there."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Caches(cache, asyncio.get_running_loop()))
    text = (await asyncio.to_thread(generate_latest, registry)).decode()
    return {
        (name.removeprefix("casebook_cache_"), *labels.values()): value
        for family in text_string_to_metric_families(text)
        for name, labels, value, *_ in family.samples
    }


def test_both_layers_are_shown(make_warm: Callable[..., Warm], redis: Redis) -> None:
    """Hits, misses, refusals, what is held and how long calls took, by layer."""

    async def scenario() -> None:
        async with Cache(Hot(1_000_000), make_warm()) as cache:
            await cache.set("key", Kept(b"42", tags=("statistics",)), 60)
            await cache.set("large", Kept(bytes(100_000)), 60)
            await cache.get("key")
            await cache.get("none")
            [name] = redis.keys("*:v:key")
            redis.set(name, b"junk")
            await cache.fetch("key")
            found = await shown(cache)
        assert found["reads_total", "hot", "hit"] == 1
        assert found["reads_total", "hot", "miss"] == 1
        assert found["reads_total", "warm", "miss"] == 2
        assert found["spoilt_total", "warm", "corrupt"] == 1
        assert found["refused_total", "hot"] == 1
        assert (found["entries", "hot"], found["entries", "warm"]) == (1, redis.dbsize())
        assert found["max_bytes", "hot"] == 1_000_000
        assert found["max_bytes", "warm"] == 20 * 1024**2
        assert found["call_seconds_bucket", "warm", "+Inf"] == found["call_seconds_count", "warm"]
        assert 0 < len(found) < 60  # series: layers and reasons are few

    run(scenario())


def test_what_nobody_knows_is_not_shown(tmp_path: Path) -> None:
    """An instance that is away is down; how much it holds is not told as 0."""

    async def scenario() -> None:
        warm = Warm(f"unix://{tmp_path}/none.sock", Breaker("cache", failures=1))
        async with Cache(Hot(1_000_000), warm) as cache:
            found = await shown(cache)
        assert found["up", "warm"] == 0
        assert ("bytes", "warm") not in found
        assert found["failed_total", "warm"] == 1

    run(scenario())
