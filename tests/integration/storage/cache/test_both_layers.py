"""Hot and warm as one cache, in several processes."""

from collections.abc import Callable

from storage.cache.hot import Hot
from storage.cache.layer import Kept
from storage.cache.layers import Cache
from storage.cache.warm import Found, Warm
from tests.support.waiting import run

MakeWarm = Callable[..., Warm]
TAGGED = Kept(b"42", tags=("statistics",))


def new_cache(warm: Warm) -> Cache:
    """What a process has."""
    return Cache(Hot(1_000_000), warm)


def test_what_is_warm_becomes_hot(make_warm: MakeWarm) -> None:
    """What another process has kept is fetched once, and then there without waiting."""

    async def scenario() -> None:
        async with new_cache(make_warm()) as one, new_cache(make_warm()) as other:
            await one.mset({"a": Kept(b"a"), "b": Kept(b"b"), "c": Kept(b"c")}, 60)
            assert other.get_now("a") is None
            assert await other.get("a") == one.get_now("a") == other.get_now("a")
            assert len(await other.mget(["a", "b", "c", "d"])) == 3
            assert other.get_now("c") is not None
            hot, warm = await other.stats()
            assert (hot.hits, warm.hits, warm.misses) == (3, 3, 1)

    run(scenario())


def test_a_value_is_hot_no_longer_than_warm(make_warm: MakeWarm) -> None:
    """It does not begin a second life where it is fetched: what it has left is what it gets."""
    now = [0.0]

    async def scenario() -> None:
        async with make_warm() as warm, Cache(Hot(1_000_000, lambda: now[0]), warm) as cache:
            await warm.set("key", Kept(b"42"), 30)
            await cache.get("key")
            now[0] = 29.0
            assert cache.get_now("key") is not None
            now[0] = 30.0
            assert cache.get_now("key") is None

    run(scenario())


def test_invalidated_here_it_is_gone_everywhere_but_hot(make_warm: MakeWarm) -> None:
    """At once where it was said and in the warm layer; another process's copy ends soon after."""
    now = [0.0]

    async def scenario() -> None:
        async with (
            new_cache(make_warm()) as one,
            Cache(Hot(1_000_000, lambda: now[0]), make_warm()) as other,
        ):
            await one.set("key", TAGGED, 60)
            await other.get("key")
            await one.invalidate("statistics")
            assert await one.get("key") is None
            assert other.get_now("key") is not None
            now[0] = 5.0
            assert await other.get("key") is None

    run(scenario())


def test_what_is_fetched_while_it_is_invalidated_does_not_stay(make_warm: MakeWarm) -> None:
    """The value was on its way when it was invalidated: it is not kept hot."""

    class Held(Warm):
        """Invalidates between the instance's answer and its arrival."""

        async def read(self, keys: list[str], *, again: bool = False) -> dict[str, Found]:
            found = await super().read(keys, again=again)
            await cache.invalidate("statistics")
            return found

    async def scenario() -> None:
        await cache.set("key", TAGGED, 60)
        cache.hot.invalidate_now(["statistics"])
        await cache.get("key")
        assert cache.get_now("key") is None
        await cache.__aexit__()

    template = make_warm()
    cache = Cache(Hot(1_000_000), template)
    template.__class__ = Held
    run(scenario())
