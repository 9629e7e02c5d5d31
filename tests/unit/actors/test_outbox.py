"""What waits to be told: bounded, in order, joined by key, and its losses counted."""

import threading

from prometheus_client import CollectorRegistry

from actors.metrics.collectors import Dropped
from actors.outbox import Outbox
from contracts.errors import QueueUnavailable
from tests.support.waiting import SOON


def test_what_could_not_be_sent_is_joined_with_what_came_since() -> None:
    """The older is the first of the two, and what is over the bound is the oldest."""
    sent: list[list[str]] = []
    meanwhile = ["b3", "d1"]

    def send(batch: list[str]) -> None:
        if meanwhile:
            while meanwhile:
                outbox.put(meanwhile.pop(0))
            raise QueueUnavailable
        sent.append(list(batch))

    outbox = Outbox[str](
        "texts", send, most=3, at_once=2, key=lambda one: one[0], joined=lambda a, b: a + b[1:]
    )
    for one in ("a1", "b1", "b2", "c1"):
        outbox.put(one)
    outbox.flush()
    assert outbox.dropped == 1
    outbox.flush()
    assert sent == [["b123", "c1"], ["d1"]]


def test_its_thread_sends_and_ends() -> None:
    """What is there when it is asked to end is sent first."""
    came = threading.Event()
    sent: list[int] = []

    def send(batch: list[int]) -> None:
        sent.extend(batch)
        came.set()

    outbox = Outbox[int]("numbers", send, most=9, at_once=9, key=lambda one: one)
    outbox.start()
    outbox.put(1)
    assert came.wait(SOON)
    outbox.put(2)
    outbox.stop()
    assert sent == [1, 2]


def test_what_was_dropped_is_measured() -> None:
    """One series a kind."""
    outbox = Outbox[int]("numbers", print, most=1, at_once=1, key=lambda one: one)
    for number in range(4):
        outbox.put(number)
    registry = CollectorRegistry()
    registry.register(Dropped(spans=outbox))
    assert registry.get_sample_value("casebook_dropped_total", {"kind": "spans"}) == 3
