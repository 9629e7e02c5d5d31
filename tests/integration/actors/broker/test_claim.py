"""claim.lua, leave.lua and the janitor: what the dead held is tried again, and judged."""

from collections.abc import Callable
from typing import Any

import dramatiq
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.delivery import Done
from actors.broker.heartbeat import CRASH_LIMIT
from actors.broker.keys import GROUP, QueueKeys
from tests.support.letters import letters

Send = Callable[..., dramatiq.Message[Any]]


def _consumers(redis: Redis, stream: str) -> set[bytes]:
    found: Any = redis.xinfo_consumers(stream, GROUP)
    return {info["name"] for info in found}


def test_what_the_dead_held_becomes_suspect(
    redis: Redis,
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """All that was pending under a dead consumer are suspects, uncounted, and it is forgotten."""
    for number in range(4):
        send(f"{number}")
    dead, heir = consume("dead"), consume("heir")
    assert len(dead.take(4, 0)) == 4
    die(dead)
    claim()
    tried = []
    while taken := heir.take(4, 0):
        tried += [(one.args[0], one.origin, one.crashes) for one in taken]
        taken[0].outcome = Done()
        heir.settle(taken)
    assert tried == [(f"{number}", "suspects", 0) for number in range(4)]
    assert _consumers(redis, keys.waiting) == {b"heir"}


def test_the_living_keep_what_they_hold(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    claim: Callable[[], None],
) -> None:
    """Nothing is taken from a consumer whose heart beats."""
    send("mine")
    alive = consume("alive")
    (mine,) = alive.take(1, 0)
    claim()
    assert broker.depth(keys.queue)["suspects"] == 0
    assert redis.xpending(keys.waiting, GROUP)["pending"] == 1
    mine.outcome = Done()
    alive.settle([mine])
    assert broker.depth(keys.queue)["waiting"] == 0


def test_a_message_that_kills_alone_is_poison(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    send: Send,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """The first death makes a suspect; as many more as the limit, each alone, make it poison."""
    sent = send("killer")
    crashes = []
    for number in range(1 + CRASH_LIMIT):
        victim = consume(f"victim-{number}")
        (killer,) = victim.take(4, 0)
        crashes.append((killer.origin, killer.crashes))
        die(victim)
        claim()
    assert crashes == [("waiting", 0), ("suspects", 0), ("suspects", 1), ("suspects", 2)]
    (letter,) = letters(redis, keys, 1)
    assert (letter.body, letter.reason) == (sent.encode(), "poison")
    victims = [f"victim-{number}" for number in range(1 + CRASH_LIMIT)]
    assert (letter.report["crashes"], letter.report["workers"]) == (CRASH_LIMIT, victims)
    assert broker.depth(keys.queue)["suspects"] == 0


def test_leaving_forgets_who_holds_nothing(
    redis: Redis, keys: QueueKeys, send: Send, consume: Callable[..., Consumer]
) -> None:
    """A consumer that leaves with empty hands is gone, and so is its heartbeat."""
    send("one")
    consumer = consume()
    (one,) = consumer.take(1, 0)
    one.outcome = Done()
    consumer.settle([one])
    consumer.leave()
    assert _consumers(redis, keys.waiting) == set()
    assert redis.exists(keys.alive + consumer.name) == 0


def test_leaving_keeps_who_holds_something(
    keys: QueueKeys,
    send: Send,
    consume: Callable[..., Consumer],
    claim: Callable[[], None],
) -> None:
    """What a leaving consumer still holds is not discarded: the janitor finds it."""
    send("held")
    leaver, heir = consume("leaver"), consume("heir")
    assert len(leaver.take(1, 0)) == 1
    leaver.leave()
    claim()
    (found,) = heir.take(1, 0)
    assert found.args == ("held",)


def test_markers_under_the_dead_are_dropped(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    consume: Callable[..., Consumer],
    die: Callable[[Consumer], None],
    claim: Callable[[], None],
) -> None:
    """A wake marker that a dead consumer had read is no suspect."""
    dead = consume("dead")
    dead.take(1, 0)
    redis.xadd(keys.waiting, {"wake": "1"})
    redis.xreadgroup(GROUP, "dead", {keys.waiting: ">"})
    die(dead)
    claim()
    assert broker.depth(keys.queue) == {"waiting": 0, "suspects": 0, "delayed": 0, "dead": 0}
