"""A worker that is told to stop: what runs has a while, what only waits in its hands goes back."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import dramatiq
import orjson
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.keys import GROUP, QueueKeys
from actors.broker.worker import Worker
from tests.support.waiting import SOON, take

Send = Callable[..., dramatiq.Message[Any]]
Work = Callable[..., Worker]


def test_a_stop_is_bounded_and_counts_nothing(
    redis: Redis, broker: StreamsBroker, keys: QueueKeys, send: Send, work: Work, queue_name: str
) -> None:
    """What runs on past the limit stays its own; what was prefetched is back, as it was sent."""
    began: queue.Queue[str] = queue.Queue()
    gate = threading.Event()

    def slow(name: str) -> None:
        began.put(name)
        gate.wait(SOON)

    dramatiq.actor(slow, broker=broker, queue_name=queue_name, actor_name="work")
    sent = {send(name).message_id: name for name in ("slow", "next", "last")}
    worker = work(threads=1, prefetch=3)
    assert take(began, 1) == ["slow"]
    try:
        assert not worker.stop(0.3)
        assert redis.xpending(keys.waiting, GROUP)["pending"] == 1
        entries: Any = redis.xrange(keys.waiting)
        waiting = [fields for _, fields in entries if b"body" in fields]
        bodies = [orjson.loads(fields[b"body"]) for fields in waiting]
        assert sorted(sent[body["message_id"]] for body in bodies) == ["last", "next", "slow"]
        assert all(fields[b"crashes"] == b"0" for fields in waiting)
        assert all(body["options"] == {} for body in bodies)
    finally:
        gate.set()
    assert worker.stop(SOON)
    assert broker.depth(queue_name)["waiting"] == 2  # the one that ran to its end has left
