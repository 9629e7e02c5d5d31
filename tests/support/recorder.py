"""A middleware that writes down every hook that is called."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

HOOKS = (
    *("before_enqueue", "after_enqueue", "before_process_message", "after_process_message"),
    *("before_ack", "after_ack", "before_nack", "after_nack", "after_skip_message"),
    *("before_worker_boot", "after_worker_boot", "after_worker_thread_boot"),
    *("before_worker_shutdown", "before_worker_thread_shutdown", "after_worker_shutdown"),
)


class Recorder(Middleware):
    """Put it first in the list: it then sees `after_*` when every other middleware is done."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._called: dict[str, queue.Queue[Any]] = {hook: queue.Queue() for hook in HOOKS}
        self._lock = threading.Lock()

    def wait(self, hook: str, timeout: float) -> Any:
        """The subject (message, worker, ...) of the next call of `hook` not yet waited for."""
        return self._called[hook].get(timeout=timeout)

    def _note(self, hook: str, subject: Any) -> None:
        with self._lock:
            self.calls.append(hook)
        self._called[hook].put(subject)


def _recording(hook: str) -> Callable[..., None]:
    def note(self: Recorder, broker: Broker, subject: Any, *rest: Any, **more: Any) -> None:
        self._note(hook, subject)

    return note


for name in HOOKS:
    setattr(Recorder, name, _recording(name))
