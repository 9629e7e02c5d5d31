"""Counts every delivery: how long it waited, how long it ran, how it ended."""

import time
from typing import Any

import orjson
from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.broker import StreamsBroker
from actors.broker.delivery import Dead, Delivery, Retry
from actors.imports import chunk
from actors.metrics.meters import Meters
from contracts.errors import CasebookError


class Metrics(Middleware):
    """Where the process's root made Meters a resource; else it does nothing."""

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        delivery: Delivery = message
        _count(broker, delivery, outcome_of(delivery, exception))
        if delivery.actor_name == chunk.name and isinstance(result, bytes):
            _count_rows(broker, result)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        _count(broker, message, "skipped")


def _count(broker: Broker, delivery: Delivery, outcome: str) -> None:
    meters = _meters(broker)
    if meters is not None:
        seconds = time.monotonic() - delivery.began
        name = delivery.actor_name
        meters.ran(delivery.queue_name, name, seconds, delivery.waited_ms / 1000, outcome)


def _count_rows(broker: Broker, result: bytes) -> None:
    meters = _meters(broker)
    if meters is not None:
        counts = orjson.loads(result)["counts"]
        for name in ("created", "updated", "unchanged", "rejected"):
            meters.rows.of(name).inc(counts[name])


def outcome_of(delivery: Delivery, exception: BaseException | None) -> str:
    """How it ends, in a word."""
    match delivery.outcome:
        case Dead():
            return "dead"
        case Retry(options=options):
            # What waits for the ground uses no attempt.
            return "waits" if "snoozes" in options else "retry"
    if exception is None:
        return "done"
    return "refused" if isinstance(exception, CasebookError) else "failed"


def _meters(broker: Broker) -> Meters | None:
    assert isinstance(broker, StreamsBroker)
    return broker.resources.get(Meters)
