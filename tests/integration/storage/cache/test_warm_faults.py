"""Whatever becomes of the warm layer costs a miss, and the caller no longer than its time-out."""

import asyncio
import itertools
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from redis import Redis

from deploy.valkey import EmbeddedCache
from storage.breaker import Breaker
from storage.cache import codec, connection, instance, untold
from storage.cache.hot import Hot
from storage.cache.layer import Kept
from storage.cache.layers import Cache
from storage.cache.warm import Warm
from tests.support.proxy import Proxy
from tests.support.waiting import run

MakeWarm = Callable[..., Warm]
SHORT = 0.05  # seconds, as in production
BUSY = 1.0  # seconds: half of it is enough to answer in, on a busy machine, too
NEVER = 1_000_000  # failures: the breaker does not open
TAGGED = Kept(b"42", tags=("statistics",))


async def ask_everything(warm: Warm) -> None:
    """Every call of the interface; none of them raises or finds anything."""
    under = await warm.epochs("statistics")
    await warm.set("key", TAGGED, 60, under=under)
    await warm.mset({"key": Kept(b"")}, 60)
    assert await warm.get("key") is None
    assert await warm.mget(["key", "other"]) == {}
    await warm.delete("key")
    await warm.invalidate("statistics")
    await warm.clear()
    assert await warm.claim("key", 60) is None
    await warm.release("key", "token")
    [stats] = await warm.stats()
    assert stats.bytes is None and stats.entries is None


def test_an_instance_that_was_never_there(make_warm: MakeWarm, tmp_path: Path) -> None:
    """Without it every call is a miss; after five it is left alone."""

    async def scenario() -> None:
        async with make_warm(f"unix://{tmp_path}/none.sock", SHORT) as warm:
            await ask_everything(warm)
            stats = warm.stats_now()
            assert not stats.up and stats.failed >= 10 and stats.misses == 3
            assert stats.buckets[-1][1] == 5  # calls that were made

    run(scenario())


def test_an_instance_that_hangs_costs_the_time_out(
    make_warm: MakeWarm, own_server: EmbeddedCache
) -> None:
    """It stands still for as long as the test likes: every call returns, and it is left alone."""

    async def scenario() -> None:
        async with make_warm(own_server.url, SHORT) as warm:
            await warm.set("key", TAGGED, 60)
            assert own_server.process
            own_server.process.send_signal(signal.SIGSTOP)
            await ask_everything(warm)
            await asyncio.gather(*(warm.get("key") for _ in range(64)))
            assert not warm.stats_now().up
            own_server.process.send_signal(signal.SIGCONT)

    run(scenario())


def test_late_answers_are_nobodys(make_warm: MakeWarm, own_server: EmbeddedCache) -> None:
    """What was given up is answered later on: whoever asks next still gets what is theirs."""

    async def scenario() -> None:
        async with (
            make_warm(own_server.url) as patient,
            make_warm(own_server.url, SHORT, failures=NEVER) as warm,
        ):
            values = {str(number): Kept(b"%d" % number) for number in range(10)}
            await patient.mset(values, 60)
            await warm.get("0")
            assert own_server.process
            own_server.process.send_signal(signal.SIGSTOP)
            for key in values:
                assert await warm.get(key) is None
            own_server.process.send_signal(signal.SIGCONT)
            await patient.get("0")  # it answers again
            while (kept := await warm.get("7")) is None:
                pass
            assert kept.body == b"7"

    run(scenario())


def test_an_instance_that_dies_and_comes_back(
    make_warm: MakeWarm, own_server: EmbeddedCache
) -> None:
    """It is empty and knows no script then; it is used again as it is."""

    async def scenario() -> None:
        async with make_warm(own_server.url, failures=NEVER) as warm:
            await warm.set("key", TAGGED, 60)
            assert own_server.process
            own_server.process.kill()
            own_server.process.wait()
            assert await warm.get("key") is None
            own_server.start()
            assert await warm.get("key") is None
            await warm.set("key", TAGGED, 60)
            assert await warm.get("key") == TAGGED

    run(scenario())


def test_a_host_that_vanished(
    make_warm: MakeWarm, own_server: EmbeddedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes through and nobody ends the connection: it is given up for another."""
    monkeypatch.setattr(connection, "STUCK_AFTER", 0.0)

    async def scenario() -> None:
        with Proxy(own_server.url) as proxy:
            async with make_warm(proxy.url, failures=NEVER) as warm:
                await warm.set("key", TAGGED, 60)
                proxy.swallow()
                lost = asyncio.create_task(warm.get("key"))
                await asyncio.sleep(0)
                while not lost.done() and await warm.get("key") is None:
                    pass
                assert await lost is None
                assert await warm.get("key") == TAGGED

    run(scenario())


def test_a_connection_that_is_cut(make_warm: MakeWarm, own_server: EmbeddedCache) -> None:
    """Who waits on it has a miss at once; the next call connects anew."""

    async def scenario() -> None:
        with Proxy(own_server.url) as proxy:
            async with make_warm(proxy.url) as warm:
                await warm.set("key", TAGGED, 60)
                await warm.get("key")
                proxy.lose_answer(b"EVALSHA")
                assert await warm.get("key") is None
                assert await warm.get("key") == TAGGED

    run(scenario())


@pytest.mark.parametrize("junk", [b"", b"junk", b"\n", b"* x\n", b"a b c\nd"], ids=repr)
def test_bytes_of_somebody_else(make_warm: MakeWarm, redis: Redis, junk: bytes) -> None:
    """Whatever stands where a value should: a miss, which is counted, and then replaced."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.set("key", TAGGED, 60)
            [name] = redis.keys("*:v:key")
            redis.set(name, junk)
            assert await warm.get("key") is None
            stats = warm.stats_now()
            assert stats.corrupt + stats.outdated == 1
            await warm.set("key", TAGGED, 60)
            assert await warm.get("key") == TAGGED

    run(scenario())


def test_keys_of_another_kind(make_warm: MakeWarm, redis: Redis) -> None:
    """A list where a value should be, and one where a tag should be, are misses."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.set("key", TAGGED, 60)
            for name in redis.keys("*"):
                redis.delete(name)
                redis.lpush(name, "x")
            assert await warm.get("key") is None
            assert warm.stats_now().corrupt == 1
            await warm.set("key", TAGGED, 60)
            assert warm.stats_now().refused == 1
            assert await warm.get("key") is None
            await warm.clear()
            await warm.invalidate("statistics")
            await warm.set("key", TAGGED, 60)
            assert await warm.get("key") == TAGGED

    run(scenario())


def test_damage_in_any_place(make_warm: MakeWarm, redis: Redis) -> None:
    """One bit of a value as it is kept, wherever it is: never another value."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.set("key", TAGGED, 60)
            [name] = redis.keys("*:v:key")
            good = bytes(redis.get(name))
            for place in range(len(good)):
                bad = bytearray(good)
                bad[place] ^= 1
                redis.set(name, bytes(bad))
                assert await warm.get("key") is None

    run(scenario())


def test_an_older_release(make_warm: MakeWarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a release with another format has kept is outdated, no value and no damage."""

    async def scenario() -> None:
        async with make_warm() as warm:
            monkeypatch.setattr(codec, "VERSION", codec.VERSION - 1)
            await warm.set("key", TAGGED, 60)
            monkeypatch.undo()
            assert await warm.get("key") is None
            stats = warm.stats_now()
            assert (stats.outdated, stats.corrupt) == (1, 0)

    run(scenario())


def test_a_full_instance(make_warm: MakeWarm, redis: Redis) -> None:
    """Where nothing is evicted and no room is left values are refused; what is there is found, and
    invalidated, but for what they should have replaced."""

    async def scenario() -> None:
        async with make_warm() as warm:
            await warm.mset({"kept": TAGGED, "other": Kept(b"old"), "last": Kept(b"")}, 60)
            redis.config_set("maxmemory-policy", "noeviction")
            redis.config_set("maxmemory", 1)
            await warm.mset({"more": TAGGED, "and": Kept(b"")}, 60)
            assert warm.stats_now().refused == 2
            assert await warm.get("kept") == TAGGED
            await warm.mset({"newer": Kept(b""), "other": Kept(b"newer")}, 60)
            assert await warm.mget(["newer", "other"]) == {}
            under = await warm.epochs("new")
            assert ("warm", "new") not in under
            await warm.invalidate("statistics")
            assert list(await warm.mget(["kept", "last", "more"])) == ["last"]
            assert warm.stats_now().up

    run(scenario())


def test_eviction_makes_room_here_and_nowhere_else(
    make_warm: MakeWarm, redis: Redis, redis_url: str
) -> None:
    """More than its bound is taken by what was asked for seldom; the queues' instance keeps all."""

    async def scenario() -> None:
        async with make_warm() as warm:
            noise = Random(7)
            for batch in range(8):
                values = {f"{batch}-{number}": noise.randbytes(20_000) for number in range(40)}
                await warm.mset({key: Kept(body) for key, body in values.items()}, 60)
            redis.config_set("maxmemory", redis.info("memory")["used_memory"] - 1_000_000)
            await warm.set("last", Kept(b"last"), 60)
            [stats] = await warm.stats()
            assert stats.evictions > 0
            assert stats.bytes is not None and stats.max_bytes is not None
            assert await warm.get("last") is not None

    with Redis.from_url(redis_url) as queues:
        queues.set("kept", "42")
        run(scenario())
        assert queues.info("stats")["evicted_keys"] == 0
        assert queues.get("kept") == b"42"


def test_an_invalidation_that_was_lost_is_made_up_for(
    make_warm: MakeWarm, own_server: EmbeddedCache
) -> None:
    """It did not reach the instance: before anything is asked of it again it does."""

    async def scenario() -> None:
        with Proxy(own_server.url) as proxy:
            async with make_warm(proxy.url, failures=NEVER) as warm:
                await warm.mset({"old": TAGGED, "other": Kept(b"")}, 60)
                proxy.lose_request(b"UNLINK")
                await warm.invalidate("statistics")
                assert list(await warm.mget(["old", "other"])) == ["other"]

    run(scenario())


def test_what_others_must_hear_of_is_said_again(
    make_warm: MakeWarm, own_server: EmbeddedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the instance is left alone; it is up again as soon as it has heard."""
    monkeypatch.setattr(untold, "AGAIN", 0.01)

    async def scenario() -> None:
        async with (
            make_warm(own_server.url) as patient,
            make_warm(own_server.url, SHORT, failures=1) as warm,
        ):
            word = Kept(b"", made_at=1.0)
            await patient.mset({"entry": Kept(b"old"), "written": Kept(b"", made_at=0.0)}, 60)
            assert own_server.process
            own_server.process.send_signal(signal.SIGSTOP)
            await warm.get("entry")
            assert not warm.stats_now().up
            await warm.tell({"entry": Kept(b"new"), "written": word}, 60)
            own_server.process.send_signal(signal.SIGCONT)
            while (await patient.mget(["written"])).get("written") != word:
                pass
            while not warm.stats_now().up:
                await patient.get("entry")

    run(scenario())


def test_of_too_much_to_be_said_again_all_is_forgotten(
    make_warm: MakeWarm, own_server: EmbeddedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was kept before counts any more."""
    monkeypatch.setattr(untold, "MOST", 1)

    async def scenario() -> None:
        with Proxy(own_server.url) as proxy:
            async with (
                make_warm(own_server.url) as patient,
                make_warm(proxy.url, failures=NEVER) as warm,
            ):
                await patient.set("entry", Kept(b"old"), 60)
                for key in "ab":
                    proxy.lose_request(b"EVAL")
                    await warm.tell({key: Kept(b"")}, 60)
                await warm.get("entry")
                assert await patient.get("entry") is None

    run(scenario())


def test_a_busy_loop_is_not_its_fault(cache_url: str) -> None:
    """Where this process had no time to look at answers the instance is not left alone for it."""

    async def scenario() -> None:
        breaker = Breaker("cache", failures=1)
        async with Warm(cache_url, breaker, BUSY / 2) as warm:
            await warm.get("key")
            asking = [asyncio.create_task(warm.get("key")) for _ in range(10)]
            await asyncio.sleep(0)
            time.sleep(BUSY)  # noqa: ASYNC251 - that is what is under test
            await asyncio.gather(*asking)
            assert warm.stats_now().up

    run(scenario())


def test_a_loop_of_many_turns_is_not_its_fault(
    own_server: EmbeddedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them is long, and together they leave no time for answers. A long silence is the
    instance's fault all the same."""
    computed = itertools.count()
    monkeypatch.setattr(instance, "thread_time", lambda: next(computed))

    async def scenario() -> None:
        breaker = Breaker("cache", failures=1)
        async with Warm(own_server.url, breaker, SHORT) as warm:
            while not warm.stats_now().hits:
                await warm.set("key", Kept(b""), 60)
                await warm.get("key")
            assert own_server.process
            own_server.process.send_signal(signal.SIGSTOP)
            await warm.get("key")
            assert warm.stats_now().up
            monkeypatch.setattr(connection, "STUCK_AFTER", SHORT / 2)
            while warm.stats_now().up:  # this loop may be late itself, on a busy machine
                await warm.get("key")

    run(scenario())


def test_hot_goes_on_without_warm(tmp_path: Path) -> None:
    """A process that never reached the warm layer still has its own."""

    async def scenario() -> None:
        warm = Warm(f"unix://{tmp_path}/none.sock", Breaker("cache"), SHORT)
        async with Cache(Hot(1_000_000), warm) as cache:
            under = await cache.epochs("statistics")
            await cache.set("key", TAGGED, 60, under=under)
            assert await cache.get("key") == TAGGED
            await cache.invalidate("statistics")
            assert await cache.get("key") is None

    run(scenario())
