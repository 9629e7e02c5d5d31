"""Notes what was done for an operation: every write; of reads the slow, the failed, the traced."""

import time
from datetime import UTC, datetime
from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.broker import StreamsBroker
from actors.broker.delivery import Delivery
from actors.broker.history import count
from actors.index import follow
from actors.middleware.metrics import outcome_of
from actors.spans import SpanLog, summed
from contracts.errors import CasebookError
from contracts.operation import doing
from contracts.traces import Span
from storage.steps import Steps, shape, watch
from storage.steps import current as steps

QUIET = "health"  # the queue of what watches: telling of it would be told for ever


class Spans(Middleware):
    """Where the process's root made a SpanLog a resource; else it does nothing."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        assert isinstance(broker, StreamsBroker)
        spans: SpanLog | None = broker.resources.get(SpanLog)
        watch(None if spans is None else Steps(spans.slow_sql))

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        assert isinstance(broker, StreamsBroker)
        spans: SpanLog | None = broker.resources.get(SpanLog)
        delivery: Delivery = message
        if spans is None or delivery.queue_name == QUIET or delivery.actor_name == follow.name:
            return
        ms = (time.monotonic() - delivery.began) * 1000
        options = delivery.options
        taken = steps() or Steps()
        slow = any(one.shape is not None for one in taken.kept)
        told = "deadline" not in options or options.get("traced") or exception is not None
        if told or slow or ms >= spans.slow:
            spans.put(_span(delivery, exception, ms, ms >= spans.slow, taken))


def _span(
    delivery: Delivery, exception: BaseException | None, ms: float, is_slow: bool, taken: Steps
) -> Span:
    now = doing()
    return Span(
        operation_id=now.id[:200],
        message_id=delivery.message_id[:200],
        at=datetime.fromtimestamp(delivery.started_ms / 1000, UTC),
        actor=delivery.actor_name[:200],
        queue=delivery.queue_name[:200],
        worker=delivery.worker[:300],
        waited_ms=max(0.0, delivery.waited_ms),
        ms=ms,
        attempt=count(delivery.options, "retries") + 1,
        outcome=outcome_of(delivery, exception),
        error="" if exception is None else error_name(exception)[:300],
        slow=is_slow,
        shape=shape(delivery.args[0]) if is_slow and delivery.args else None,
        caller=now.by[:200] or None,
        steps=summed(taken) or None,
    )


def error_name(error: BaseException) -> str:
    """An error of ours by its code, any other by its class."""
    return error.code if isinstance(error, CasebookError) else type(error).__qualname__
