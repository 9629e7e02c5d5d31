"""Laws of delay: not before its time, and soon after."""

import queue
import time

from tests.conformance.contenders import Contender
from tests.support.waiting import SOON, take

LATE = 0.8  # seconds after its time that count as soon


def test_a_delayed_message_runs_at_its_time(contender: Contender, queue_name: str) -> None:
    """A delayed message runs not before its time and soon after."""
    seen: queue.Queue[float] = queue.Queue()
    work = contender.actor(lambda: seen.put(time.monotonic()), queue_name)
    contender.start()
    sent = time.monotonic()
    work.send_with_options(delay=300)
    waited = seen.get(timeout=SOON) - sent
    assert 0.298 <= waited < 0.3 + LATE


def test_the_earlier_due_runs_first(contender: Contender, queue_name: str) -> None:
    """A message due earlier runs first, and on time, though it was sent later."""
    seen: queue.Queue[tuple[str, float]] = queue.Queue()
    work = contender.actor(lambda name: seen.put((name, time.monotonic())), queue_name)
    contender.start()
    sent = time.monotonic()
    work.send_with_options(args=("late",), delay=1000)
    work.send_with_options(args=("early",), delay=150)
    (first, at), (second, _) = take(seen, 2)
    assert (first, second) == ("early", "late")
    assert at - sent < 0.15 + LATE


def test_a_delayed_message_passes_a_busy_thread(contender: Contender, queue_name: str) -> None:
    """A delayed message runs on time in an idle thread while another thread is busy."""
    seen: queue.Queue[float] = queue.Queue()
    release: queue.Queue[None] = queue.Queue()
    busy = contender.actor(lambda: release.get(timeout=SOON), queue_name, "busy")
    work = contender.actor(lambda: seen.put(time.monotonic()), queue_name)
    contender.start(threads=2)
    sent = time.monotonic()
    work.send_with_options(delay=600)
    busy.send()
    waited = seen.get(timeout=SOON) - sent
    release.put(None)
    assert 0.598 <= waited < 0.6 + LATE
