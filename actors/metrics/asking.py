"""A server that hangs takes its own numbers from /metrics, not the whole process's."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from contracts.errors import CasebookError

T = TypeVar("T")

PATIENCE = 0.75  # seconds; a process may ask twice, and `gather.WITHIN` is all it has


class Asking(Generic[T]):
    """Asks a question in a thread of its own, as often as its answer is wanted.

    A question that hangs is not asked again beside itself: one thread and one connection wait for
    its server, however often /metrics is read meanwhile.
    """

    def __init__(self, question: Callable[[], T]) -> None:
        self._question = question
        self._lock = threading.Lock()  # the exporter and a telemetry collector both read
        self._answer: Future[T] | None = None
        self._until = 0.0

    def answer(self) -> T | None:
        """What it is told now; None where its server is away or takes longer than PATIENCE.

        Raises: what the question raises, but for our own errors.
        """
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                self._until = time.monotonic() + PATIENCE
                arguments = (self._answer,)
                threading.Thread(target=self._ask, args=arguments, daemon=True).start()
            answer, left = self._answer, self._until - time.monotonic()
        try:
            return answer.result(max(0.0, left))
        except (TimeoutError, CasebookError):
            return None

    def _ask(self, answer: Future[T]) -> None:
        try:
            answer.set_result(self._question())
        except BaseException as error:  # raised where the answer is wanted
            answer.set_exception(error)
