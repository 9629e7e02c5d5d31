"""A log of spans that a test can wait for."""

import queue

from actors import traces
from actors.spans import SpanLog
from contracts.traces import Span
from tests.support.house import House


class Told(SpanLog):
    """Says when a span comes; every operation and statement counts as slow."""

    def __init__(self, house: House) -> None:
        super().__init__(lambda batch: house.call(traces.record, batch), slow=0, slow_sql=0)
        self.came: queue.Queue[str] = queue.Queue()
        house.broker.resources[SpanLog] = self

    def put(self, thing: Span) -> None:
        """Add one, and say so."""
        super().put(thing)
        self.came.put(thing.actor)
