"""The warm layer: values that processes share, with tags, in one round trip."""

import asyncio
from collections.abc import Callable
from random import Random

from redis import Redis

from storage.cache.layer import Kept
from storage.cache.warm import BATCH, MAX_FRAME, Warm
from tests.support.waiting import run

MakeWarm = Callable[..., Warm]
TAGGED = Kept(b"42", "1:2:3", 1.5, ("statistics",), {"edition": "e"})


def asked(redis: Redis) -> int:
    """How many commands the instance was sent until now, but for those that scripts run."""
    stats = redis.info("commandstats")
    kinds = ("evalsha", "eval", "unlink", "get", "mget", "set")
    inside = {"get", "set"}  # of scripts
    return sum(stats.get(f"cmdstat_{kind}", {"calls": 0})["calls"] for kind in set(kinds) - inside)


def test_another_process_finds_what_one_has_kept(make_warm: MakeWarm) -> None:
    """A value comes back whole, with the time that it has left on the instance's clock."""

    async def scenario() -> None:
        async with make_warm() as one, make_warm() as other:
            await one.set("key", TAGGED, 60)
            assert await other.get("key") == TAGGED
            assert 55 < (await other.read(["key"]))["key"].left <= 60
            await one.delete("key")
            assert await other.get("key") is None

    run(scenario())


def test_several_at_once(make_warm: MakeWarm) -> None:
    """More than a batch is kept and found; what is not there is left out, and counted."""

    async def scenario() -> None:
        async with make_warm() as warm:
            values = {str(number): Kept(b"%d" % number) for number in range(BATCH + 10)}
            await warm.mset(values, 60)
            assert await warm.mget([*values, "none"]) == values
            stats = warm.stats_now()
            assert (stats.hits, stats.misses) == (BATCH + 10, 1)

    run(scenario())


def test_a_call_is_one_round_trip(make_warm: MakeWarm, redis: Redis) -> None:
    """Tags cost no further one, neither on the way in nor out."""

    async def scenario() -> None:
        async with make_warm() as warm:
            for _ in range(2):  # the first time the instance learns the scripts
                await warm.set("key", TAGGED, 60)
                await warm.get("key")
            for call in (
                lambda: warm.set("key", TAGGED, 60),
                lambda: warm.get("key"),
                lambda: warm.invalidate("statistics", "suggestions"),
                lambda: warm.mget([str(number) for number in range(BATCH)]),
            ):
                before = asked(redis)
                await call()
                assert asked(redis) - before == 1

    run(scenario())


def test_a_value_goes_when_its_time_is_over(make_warm: MakeWarm, redis: Redis) -> None:
    """Every value has an end, which the instance keeps: no clock of ours is asked."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.set("key", Kept(b"", made_at=4e9), 60)
            [name] = redis.keys("*:v:key")
            assert redis.pttl(name) > 0
            redis.pexpire(name, 0)
            assert await warm.get("key") is None

    run(scenario())


def test_a_tag_ends_its_values_everywhere(make_warm: MakeWarm) -> None:
    """What one process invalidates no other finds; new values with the tag are found again."""

    async def scenario() -> None:
        async with make_warm() as one, make_warm() as other:
            await one.mset({"a": TAGGED, "b": Kept(b"b", tags=("other", "statistics"))}, 60)
            await one.set("c", Kept(b"c", tags=("other",)), 60)
            await other.invalidate("statistics")
            assert list(await one.mget(["a", "b", "c"])) == ["c"]
            assert one.stats_now().outdated == 2
            await one.set("a", TAGGED, 60)
            assert await other.get("a") == TAGGED

    run(scenario())


def test_what_was_computed_before_an_invalidation_is_not_kept(make_warm: MakeWarm) -> None:
    """Who began before it, in any process, and ends after it has old news."""

    async def scenario() -> None:
        async with make_warm() as one, make_warm() as other:
            for begin in (lambda: other.invalidate("x"), lambda: one.set("x", TAGGED, 60)):
                await begin()  # whether the tag has been used before or not
                under = await one.epochs("statistics")
                await other.invalidate("statistics")
                await one.set("key", TAGGED, 60, under=under)
                await other.set("new", TAGGED, 60)  # its tag has a token again, another one
                await one.set("late", TAGGED, 60, under=under)
                assert list(await one.mget(["key", "late", "new"])) == ["new"]
            under = await one.epochs("statistics")
            await one.set("key", TAGGED, 60, under=under)
            assert await one.get("key") == TAGGED

    run(scenario())


def test_clear_ends_everything_of_ours_and_nothing_else(make_warm: MakeWarm, redis: Redis) -> None:
    """However many values there are it is one command; others' keys stay as they were."""
    redis.set("theirs", "42")

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.mset({str(number): Kept(b"") for number in range(20)}, 60)
            under = await warm.epochs("statistics")
            before = asked(redis)
            await warm.clear()
            assert asked(redis) - before == 1
            await warm.set("late", TAGGED, 60, under=under)
            assert await warm.mget([*map(str, range(20)), "late"]) == {}

    run(scenario())
    assert redis.get("theirs") == b"42"


def test_a_tag_that_was_evicted_ends_its_values(make_warm: MakeWarm, redis: Redis) -> None:
    """Eviction takes tags as well: what they stood for is not believed, also not later on."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.set("old", TAGGED, 60)
            [tag] = redis.keys("*:t:statistics")
            redis.delete(tag)
            assert await warm.get("old") is None
            await warm.set("new", TAGGED, 60)
            assert list(await warm.mget(["old", "new"])) == ["new"]

    run(scenario())


def test_a_value_over_the_bound_is_not_kept(make_warm: MakeWarm) -> None:
    """It is counted; what it should have replaced is gone."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.set("key", Kept(b"small"), 60)
            await warm.set("key", Kept(Random(7).randbytes(MAX_FRAME)), 60)
            assert await warm.get("key") is None
            assert warm.stats_now().refused == 1

    run(scenario())


def test_a_claim_has_one_holder(make_warm: MakeWarm) -> None:
    """Of many who want to compute a value one may; it is given back by its holder only."""

    async def scenario() -> None:
        async with make_warm() as one, make_warm() as other:
            claims = await asyncio.gather(
                *(warm.claim("key", 60) for warm in (one, other) for _ in range(20))
            )
            [token] = [claim for claim in claims if claim]
            assert claims.count("") == 39
            await other.release("key", "somebody else's")
            assert await other.claim("key", 60) == ""
            await one.release("key", token)
            assert await other.claim("key", 60)

    run(scenario())


def test_64_tasks_get_what_they_asked_for(make_warm: MakeWarm) -> None:
    """Tasks that read, write, and give up at any moment never get each other's answers."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.mset({str(number): Kept(b"%d" % number) for number in range(64)}, 60)

            async def task(number: int) -> None:
                for turn in range(20):
                    asking = asyncio.ensure_future(warm.get(str(number)))
                    if (number + turn) % 3 == 0:
                        await asyncio.sleep(0)
                        asking.cancel()
                        await asyncio.gather(asking, return_exceptions=True)
                        continue
                    kept = await asking
                    assert kept is not None and kept.body == b"%d" % number
                    await warm.set(str(number), kept, 60)

            await asyncio.gather(*map(task, range(64)))

    run(scenario())


def test_it_tells_what_it_holds(make_warm: MakeWarm, redis: Redis) -> None:
    """Bound, bytes and keys are the instance's; calls are counted by the time they took."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.set("key", TAGGED, 60)
            [stats] = await warm.stats()
            assert stats.max_bytes == 20 * 1024**2
            assert stats.bytes is not None and 0 < stats.bytes < stats.max_bytes
            assert stats.entries == redis.dbsize() == 3  # the value and its two tags
            assert stats.up
            bound, calls = stats.buckets[-1]
            assert bound == float("inf") and calls >= 4 and stats.seconds > 0

    run(scenario())
