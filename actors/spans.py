"""What a process did since it told of it last, and what that took."""

from collections.abc import Callable
from typing import Any

from actors.outbox import Outbox
from contracts.traces import RecordSpans, Span, TracedStep
from storage.steps import SLOW as SLOW_SQL
from storage.steps import Steps

HELD = 5_000  # spans that wait to be sent
AT_ONCE = 500  # spans in a message
SHOWN = 20  # steps of a delivery that are kept
SLOW = 1_000.0  # ms: the default of the setting


class SpanLog(Outbox[Span]):
    """Spans of one process. `slow` (an operation) and `slow_sql` (a statement) are in ms."""

    def __init__(
        self, send: Callable[[RecordSpans], Any], slow: float = SLOW, slow_sql: float = SLOW_SQL
    ) -> None:
        super().__init__(
            "spans",
            lambda spans: send(RecordSpans(spans=tuple(spans))),
            most=HELD,
            at_once=AT_ONCE,
            key=lambda span: (span.message_id, span.at),
        )
        self.slow = slow
        self.slow_sql = slow_sql


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
