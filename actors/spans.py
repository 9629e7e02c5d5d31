"""What a process did since it told of it last: gathered here, sent by a thread as one message."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from contracts.errors import CasebookError
from contracts.traces import RecordSpans, Span, TracedStep
from storage.steps import SLOW as SLOW_SQL
from storage.steps import Steps

log = logging.getLogger(__name__)

GATHER = 1.0  # seconds in which spans are gathered until they are sent
HELD = 5_000  # spans that wait to be sent; of more, the oldest go
AT_ONCE = 500  # spans in a message
SHOWN = 20  # steps of a delivery that are kept
SLOW = 1_000.0  # ms: the default of the setting


class SpanLog(threading.Thread):
    """`slow` (an operation) and `slow_sql` (a statement) are in ms.

    A process that has nothing to tell wakes for nothing.
    """

    def __init__(
        self, send: Callable[[RecordSpans], Any], slow: float = SLOW, slow_sql: float = SLOW_SQL
    ) -> None:
        super().__init__(name="spans", daemon=True)
        self.slow = slow
        self.slow_sql = slow_sql
        self._send = send
        self._spans: deque[Span] = deque(maxlen=HELD)
        self._some = threading.Event()
        self._ending = threading.Event()

    def note(self, span: Span) -> None:
        """Add one."""
        self._spans.append(span)
        self._some.set()

    def run(self) -> None:
        while not self._ending.is_set():
            self._some.wait()
            self._ending.wait(GATHER)
            self.flush()

    def flush(self) -> None:
        """Send what there is; what can't be sent now is sent with what comes next."""
        self._some.clear()
        while batch := self._taken():
            try:
                self._send(RecordSpans(spans=tuple(batch)))
            except CasebookError as error:
                log.info("%d spans are told later: %s", len(batch), error.message)
                room = HELD - len(self._spans)
                self._spans.extendleft(batch[: -room - 1 : -1] if room else ())
                return

    def _taken(self) -> list[Span]:
        batch: list[Span] = []
        while self._spans and len(batch) < AT_ONCE:
            batch.append(self._spans.popleft())
        return batch

    def stop(self) -> None:
        """Send what there is and end."""
        self._ending.set()
        self._some.set()
        self.join()


def summed(steps: Steps) -> tuple[TracedStep, ...]:
    """Steps of one name as one, those that took longest; slow statements by themselves."""
    found: dict[tuple[str, str], list[float]] = {}
    alone = [one for one in steps.kept if one.shape is not None]
    for one in steps.kept:
        if one.shape is None:
            known = found.setdefault((one.kind, one.name), [0, 0.0])
            known[0] += 1
            known[1] += one.ms
    told = [
        TracedStep(kind=kind, name=name, count=int(count), ms=ms)
        for (kind, name), (count, ms) in found.items()
    ]
    told += [
        TracedStep(kind=o.kind, name=o.name, ms=o.ms, slow=True, shape=o.shape, plan=o.plan)
        for o in alone[:SHOWN]
    ]
    return tuple(sorted(told, key=lambda one: one.ms, reverse=True)[:SHOWN])
