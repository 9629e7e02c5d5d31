"""Laws of middleware: every hook is called, in dramatiq's documented order."""

import queue
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import Middleware, SkipMessage

from tests.conformance.contenders import Contender
from tests.support.recorder import Recorder
from tests.support.waiting import SOON, silent

WORKER_HOOKS = [
    *("before_worker_boot", "after_worker_thread_boot", "after_worker_boot"),
    *("before_worker_shutdown", "before_worker_thread_shutdown", "after_worker_shutdown"),
]


def test_hooks_around_a_success(contender: Contender, queue_name: str) -> None:
    """A message that succeeds is enqueued, processed and acked, in that order."""
    contender.actor(lambda: None, queue_name).send()
    contender.start()
    contender.recorder.wait("after_ack", SOON)
    assert _about_messages(contender.recorder) == [
        *("before_enqueue", "after_enqueue", "before_process_message", "after_process_message"),
        *("before_ack", "after_ack"),
    ]


def test_hooks_around_a_failure(contender: Contender, queue_name: str) -> None:
    """A message that is out of attempts is processed and nacked, never acked."""
    contender.actor(_fail, queue_name, max_retries=0).send()
    contender.start()
    contender.recorder.wait("after_nack", SOON)
    assert _about_messages(contender.recorder) == [
        *("before_enqueue", "after_enqueue", "before_process_message", "after_process_message"),
        *("before_nack", "after_nack"),
    ]


def test_hooks_around_a_skipped_message(contend: Callable[..., Contender], queue_name: str) -> None:
    """SkipMessage calls after_skip_message in place of after_process_message."""
    contender = contend(_Skips())
    contender.actor(lambda: None, queue_name).send()
    contender.start()
    contender.recorder.wait("after_ack", SOON)
    assert _about_messages(contender.recorder) == [
        *("before_enqueue", "after_enqueue", "before_process_message", "after_skip_message"),
        *("before_ack", "after_ack"),
    ]


def test_skip_message_ends_a_message(contend: Callable[..., Contender], queue_name: str) -> None:
    """A message that a middleware skips never runs, never comes back and is not dead."""
    ran: queue.Queue[None] = queue.Queue()
    contender = contend(_Skips())
    contender.actor(lambda: ran.put(None), queue_name).send()
    contender.start()
    contender.recorder.wait("after_skip_message", SOON)
    with pytest.raises(queue.Empty):  # longer than any broker's first pause
        contender.recorder.wait("after_skip_message", 1.5)
    assert silent(ran, 0)
    assert contender.dead(queue_name) == []


def test_skipping_a_failed_message_makes_it_dead(
    contend: Callable[..., Contender], queue_name: str
) -> None:
    """A middleware that fails a message and skips it (as AgeLimit does) makes it a dead letter."""
    contender = contend(_Skips(failing=True))
    contender.actor(lambda: None, queue_name).send()
    contender.start()
    contender.recorder.wait("after_nack", SOON)
    assert len(contender.dead(queue_name)) == 1


def test_hooks_of_a_worker(contender: Contender, queue_name: str) -> None:
    """A worker announces its boot, its threads and its shutdown in order."""
    contender.actor(lambda: None, queue_name)
    stop = contender.start(threads=1)
    contender.recorder.wait("after_worker_thread_boot", SOON)
    stop()
    calls = [call for call in contender.recorder.calls if "worker" in call]
    assert sorted(calls) == sorted(WORKER_HOOKS)
    order = calls.index
    assert order("before_worker_boot") == 0
    assert order("before_worker_shutdown") < order("before_worker_thread_shutdown")
    assert order("after_worker_shutdown") == len(calls) - 1


def test_after_hooks_run_from_last_to_first(
    contend: Callable[..., Contender], queue_name: str
) -> None:
    """`before_*` hooks run in the order of the list, `after_*` hooks in reverse."""
    calls: list[str] = []
    contender = contend(_Notes("first", calls), _Notes("second", calls))
    contender.actor(lambda: calls.append("actor"), queue_name).send()
    contender.start()
    contender.recorder.wait("after_process_message", SOON)
    assert calls == ["first", "second", "actor", "second", "first"]


def test_a_broken_hook_does_not_stop_the_actor(
    contend: Callable[..., Contender], queue_name: str
) -> None:
    """An exception in a hook that is no MiddlewareError is logged, and the actor runs."""
    ran: queue.Queue[bool] = queue.Queue()
    contender = contend(_Broken())
    contender.actor(lambda: ran.put(True), queue_name).send()
    contender.start()
    assert ran.get(timeout=SOON)
    contender.recorder.wait("after_ack", SOON)


class _Skips(Middleware):
    def __init__(self, *, failing: bool = False) -> None:
        self._failing = failing

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        if self._failing:
            message.fail()
        raise SkipMessage("not today")


class _Notes(Middleware):
    def __init__(self, name: str, calls: list[str]) -> None:
        self._name = name
        self._calls = calls

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        self._calls.append(self._name)

    def after_process_message(self, broker: dramatiq.Broker, message: Any, **ended: Any) -> None:
        self._calls.append(self._name)


class _Broken(Middleware):
    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        raise ValueError("a bug in a hook")


def _fail() -> None:
    raise ValueError("as meant")


def _about_messages(recorder: Recorder) -> list[str]:
    return [call for call in recorder.calls if "worker" not in call]
