"""Notes what actors raise and nobody expected, for the error log."""

from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors import errors
from actors.broker.broker import StreamsBroker
from actors.broker.delivery import Delivery
from actors.failures import FailureLog
from actors.metrics.meters import Meters


class Failures(Middleware):
    """Where the process's root made a FailureLog a resource; else it does nothing."""

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        assert isinstance(broker, StreamsBroker)
        failures: FailureLog | None = broker.resources.get(FailureLog)
        delivery: Delivery = message
        if exception is None or failures is None or delivery.actor_name == errors.record.name:
            return  # what recording itself meets would be told for ever
        kind = failures.note(exception, delivery.actor_name)
        meters: Meters | None = broker.resources.get(Meters)
        if kind is not None and meters is not None:
            meters.errors.of(kind).inc()
