"""Layers as one."""

from storage.cache.hot import Hot
from storage.cache.layer import Kept
from storage.cache.layers import TAGGED_TTL, Cache
from tests.support.waiting import run


def test_hot_alone_is_a_whole_cache() -> None:
    """Without a warm layer every call does what it says."""

    async def scenario() -> None:
        cache = Cache(Hot(1_000_000))
        under = await cache.epochs("statistics")
        await cache.set("a", Kept(b"a", tags=("statistics",)), 60, under=under)
        await cache.mset({"b": Kept(b"b"), "c": Kept(b"c")}, 60)
        found = await cache.mget(list("abcd"))
        assert {key: kept.body for key, kept in found.items()} == {"a": b"a", "b": b"b", "c": b"c"}
        await cache.invalidate("statistics")
        assert await cache.get("a") is None
        await cache.delete("b")
        assert cache.get_now("b") is None
        await cache.clear()
        assert await cache.mget(list("abc")) == {}
        assert [one.name for one in await cache.stats()] == ["hot"]

    run(scenario())


def test_values_with_tags_are_hot_shortly() -> None:
    """Others may have invalidated their tag: after TAGGED_TTL they are asked for again."""
    now = [0.0]
    cache = Cache(Hot(1_000_000, lambda: now[0]))
    run(cache.set("tagged", Kept(b"", tags=("statistics",)), 60))
    run(cache.set("plain", Kept(b""), 60))
    now[0] = TAGGED_TTL
    assert cache.get_now("tagged") is None
    assert cache.get_now("plain") is not None
