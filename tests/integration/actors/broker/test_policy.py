"""An actor's own retry policy, on a real queue."""

import queue
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.keys import QueueKeys
from actors.broker.worker import Worker
from contracts.errors import DatabaseUnavailable
from tests.support.letters import letters
from tests.support.recorder import Recorder
from tests.support.waiting import SOON, silent, take

Send = Callable[..., dramatiq.Message[Any]]
HOUR = 3_600_000  # ms


def _pause(redis: Redis, keys: QueueKeys) -> float:
    """How many ms from now the only delayed message is due."""
    ((_, due),) = redis.zrange(keys.delayed, 0, -1, withscores=True)
    seconds, micros = redis.time()  # type: ignore[misc]  # redis-py types both of its clients
    return float(due) - (seconds * 1000 + micros / 1000)


@pytest.mark.parametrize(
    ("message", "actor", "longest"),
    [
        ({}, {"min_backoff": HOUR, "max_backoff": 2 * HOUR}, HOUR),
        ({}, {"min_backoff": 4 * HOUR, "max_backoff": HOUR}, HOUR),
        ({"min_backoff": 3 * HOUR}, {"min_backoff": HOUR, "max_backoff": 9 * HOUR}, 3 * HOUR),
        ({"max_backoff": HOUR}, {"min_backoff": 4 * HOUR, "max_backoff": 9 * HOUR}, HOUR),
    ],
    ids=["actor's first", "actor's longest", "message's first", "message's longest"],
)
def test_pauses_are_the_actors_own(
    redis: Redis,
    keys: QueueKeys,
    broker: StreamsBroker,
    send: Send,
    work: Callable[..., Worker],
    message: dict[str, int],
    actor: dict[str, int],
    longest: int,
) -> None:
    """A failed message waits as long as its actor says, or as it says itself."""
    recorder = Recorder()
    broker.add_middleware(recorder)

    def fail(name: str) -> None:
        raise ValueError("as meant")

    dramatiq.actor(fail, broker=broker, queue_name=keys.queue, actor_name="work", **actor)
    send("one", **message)
    work()
    recorder.wait("after_ack", SOON)
    assert longest / 2 - 1000 * SOON < _pause(redis, keys) <= longest


def test_a_fatal_error_is_the_end(
    redis: Redis, keys: QueueKeys, broker: StreamsBroker, send: Send, work: Callable[..., Worker]
) -> None:
    """A message whose actor can't be helped runs once and is dead with its story."""
    seen: queue.Queue[str] = queue.Queue()

    def fail(name: str) -> None:
        seen.put(name)
        raise FileNotFoundError("no such page")

    dramatiq.actor(fail, broker=broker, queue_name=keys.queue, actor_name="work", fatal=(OSError,))
    send("one", min_backoff=1)
    worker = work()
    (letter,) = letters(redis, keys, 1)
    assert letter.reason == "refused"
    (attempt,) = letter.report["attempts"]
    assert attempt["error"] == "builtins.FileNotFoundError"
    assert attempt["worker"] == letter.report["worker"]
    assert attempt["worker"].startswith(worker.name)
    assert 'raise FileNotFoundError("no such page")' in attempt["traceback"]
    assert take(seen, 1) == ["one"]
    assert silent(seen)


def test_not_yet_is_never_fatal(
    broker: StreamsBroker, keys: QueueKeys, send: Send, work: Callable[..., Worker]
) -> None:
    """An actor that calls every error fatal still waits while the ground is away."""
    seen: queue.Queue[str] = queue.Queue()

    def fail_first(name: str) -> None:
        seen.put(name)
        if seen.qsize() == 1:
            raise DatabaseUnavailable

    dramatiq.actor(
        fail_first, broker=broker, queue_name=keys.queue, actor_name="work", fatal=(Exception,)
    )
    recorder = Recorder()
    broker.add_middleware(recorder)
    send("one")
    work()
    assert [recorder.wait("after_ack", SOON).failed for _ in range(2)] == [False, False]
    assert take(seen, 2) == ["one", "one"]
    assert broker.depth(keys.queue) | {"waiting": 0} == {
        "waiting": 0, "suspects": 0, "delayed": 0, "dead": 0,
    }  # fmt: skip
