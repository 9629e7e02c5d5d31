"""Two queues in one worker: threads of their own, so that neither waits behind the other."""

import queue
import threading
from collections.abc import Iterator

import dramatiq
import pytest

from actors.broker import queues
from actors.broker.broker import StreamsBroker
from actors.broker.worker import Reading, Worker
from tests.support.waiting import SOON, take


class Flood:
    """Actors on two queues: `wave` needs a permit for each message, `drop` just tells."""

    def __init__(self, broker: StreamsBroker, wave: str, drop: str) -> None:
        self.permits = threading.Semaphore(0)
        self.waves: queue.Queue[str] = queue.Queue()
        self.drops: queue.Queue[str] = queue.Queue()
        dramatiq.actor(self._wave, broker=broker, queue_name=wave, actor_name="wave")
        dramatiq.actor(self._drop, broker=broker, queue_name=drop, actor_name="drop")

    def _wave(self, name: str) -> None:
        assert self.permits.acquire(timeout=2 * SOON)
        self.waves.put(name)

    def _drop(self, name: str) -> None:
        self.drops.put(name)


def _send(broker: StreamsBroker, queue_name: str, actor: str, name: str) -> None:
    broker.enqueue(
        dramatiq.Message(
            queue_name=queue_name, actor_name=actor, args=(name,), kwargs={}, options={}
        )
    )


@pytest.fixture(params=[True, False], ids=["imports flood searches", "searches flood imports"])
def names(request: pytest.FixtureRequest, queue_name: str) -> tuple[str, str]:
    """The queue that is flooded, and the other one."""
    imports, search = f"{queue_name}-imports", f"{queue_name}-search"
    return (imports, search) if request.param else (search, imports)


@pytest.fixture
def worker(redis_url: str, names: tuple[str, str]) -> Iterator[tuple[Flood, StreamsBroker]]:
    """One worker that reads both queues, with the prefetch that roles give them."""
    broker = StreamsBroker(redis_url)
    wave, drop = names
    flood = Flood(broker, wave, drop)
    readings = [
        Reading(name, threads=2 if name.endswith("imports") else 1, prefetch=2) for name in names
    ]
    worker = Worker(broker, readings)
    worker.start()
    yield flood, broker
    for _ in range(1000):
        flood.permits.release()
    assert worker.stop(10)


def test_a_flood_delays_no_neighbour(
    worker: tuple[Flood, StreamsBroker],
    names: tuple[str, str],
) -> None:
    """While one queue holds hundreds of messages, each message of the other one runs at once and
    in order; and the flooded queue moves on meanwhile."""
    flood, broker = worker
    wave, drop = names
    for number in range(300):
        _send(broker, wave, "wave", f"{number}")
    for number in range(30):
        _send(broker, drop, "drop", f"{number}")
        assert take(flood.drops, 1) == [f"{number}"]
        flood.permits.release()
        take(flood.waves, 1)
        assert queues.state(broker, wave).waiting > 200
