"""Laws of delivery: what is sent arrives, whole, in order, once."""

import queue
from collections import Counter
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware

from tests.conformance.contenders import Contender
from tests.support.waiting import SOON, silent, take

BOOT_HOOKS = {"before_worker_boot", "after_worker_thread_boot", "after_worker_boot"}


def test_arguments_and_options_arrive(contender: Contender, queue_name: str) -> None:
    """Positional and keyword arguments reach the actor, options reach the middleware."""
    seen: queue.Queue[Any] = queue.Queue()
    work = contender.actor(lambda *args, **kwargs: seen.put((args, kwargs)), queue_name)
    contender.start()
    work.send_with_options(args=(1, "two", [3]), kwargs={"four": {"5": None}}, colour="green")
    assert take(seen, 1) == [((1, "two", [3]), {"four": {"5": None}})]
    assert contender.recorder.wait("after_ack", SOON).options["colour"] == "green"


def test_one_thread_is_first_in_first_out(contender: Contender, queue_name: str) -> None:
    """A single thread runs a queue's messages in the order in which they were sent."""
    seen: queue.Queue[int] = queue.Queue()
    work = contender.actor(seen.put, queue_name)
    for number in range(50):
        work.send(number)
    contender.start(threads=1, prefetch=4)
    assert take(seen, 50) == list(range(50))


def test_queues_do_not_mix(contender: Contender, queue_name: str) -> None:
    """What is sent to one queue is never seen by another one's actor."""
    seen: queue.Queue[tuple[str, int]] = queue.Queue()
    works = {
        name: contender.actor(
            lambda number, name=name: seen.put((name, number)), f"{queue_name}-{name}", name
        )
        for name in ("a", "b", "c")
    }
    contender.start()
    sent = [(name, number) for number in range(5) for name in works]
    for name, number in sent:
        works[name].send(number)
    assert sorted(take(seen, 15)) == sorted(sent)
    assert silent(seen)


def test_messages_wait_for_a_worker(contender: Contender, queue_name: str) -> None:
    """A message that is sent while no worker exists runs when one starts."""
    seen: queue.Queue[str] = queue.Queue()
    work = contender.actor(seen.put, queue_name)
    work.send("early")
    assert silent(seen, 0.05)
    contender.start()
    assert take(seen, 1) == ["early"]


def test_large_messages_travel(contender: Contender, queue_name: str) -> None:
    """A body of 900 KB arrives as it was sent."""
    seen: queue.Queue[str] = queue.Queue()
    work = contender.actor(seen.put, queue_name)
    contender.start()
    text = "0123456789" * 90_000
    work.send(text)
    assert take(seen, 1) == [text]


def test_text_of_any_script_travels(contender: Contender, queue_name: str) -> None:
    """Text beyond ASCII and the BMP, controls and quotes arrive as they were sent."""
    seen: queue.Queue[str] = queue.Queue()
    work = contender.actor(seen.put, queue_name)
    contender.start()
    text = "Größe ≥ 3 · 日本語 · 🜁 · \r\n\t\x01 \"'\\ \u2028"
    work.send(text)
    assert take(seen, 1) == [text]


def test_five_hundred_through_eight_threads(contender: Contender, queue_name: str) -> None:
    """Each of many messages arrives exactly once, whichever thread runs it."""
    seen: queue.Queue[int] = queue.Queue()
    work = contender.actor(seen.put, queue_name)
    contender.start(threads=8, prefetch=4)
    for number in range(500):
        work.send(number)
    counts = Counter(take(seen, 500))
    assert set(counts) == set(range(500))
    assert set(counts.values()) == {1}
    assert silent(seen)


def test_messages_sent_during_boot_arrive(
    contend: Callable[..., Contender], queue_name: str
) -> None:
    """Messages sent by the hooks of a worker that is booting are run by it."""
    seen: queue.Queue[str] = queue.Queue()
    contender = contend(_SendsAtBoot())
    contender.actor(seen.put, queue_name)
    contender.start()
    assert set(take(seen, len(BOOT_HOOKS))) == BOOT_HOOKS


class _SendsAtBoot(Middleware):
    def before_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        self._send(broker, "before_worker_boot")

    def after_worker_thread_boot(self, broker: dramatiq.Broker, thread: Any) -> None:
        self._send(broker, "after_worker_thread_boot")

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        self._send(broker, "after_worker_boot")

    def _send(self, broker: dramatiq.Broker, hook: str) -> None:
        broker.actors["work"].send(hook)
