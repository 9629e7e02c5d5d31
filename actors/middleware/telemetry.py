"""Tells a collector of messages: enqueued, waiting, run, and each step of that."""

import threading
import time
from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.broker import StreamsBroker
from actors.broker.delivery import Delivery
from actors.index import follow
from actors.middleware.metrics import outcome_of
from actors.middleware.operation import Operation
from actors.middleware.spans import QUIET, error_name
from actors.telemetry.tracing import Open
from actors.telemetry.tracing import Telemetry as Collector
from contracts.operation import doing, under
from storage import steps

MS = 1_000_000  # ns
#: Of each kind of step: which kind of span it is, and what is said of it.
NAMED: dict[str, tuple[str, dict[str, str]]] = {
    "sql": ("client", {"db.system.name": "postgresql"}),
    "index": ("internal", {}),
}


class Telemetry(Middleware):
    """Installed by a process's root where there is a collector, and only there."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._thread = threading.local()

    def before_enqueue(self, broker: Broker, message: Any, delay: int | None) -> None:
        if not doing().id or message.queue_name == QUIET:
            return  # nobody's: it is an operation once it is run
        name = f"enqueue {message.actor_name}"
        sent = self._collector.open(name, "producer", doing().parent, about=_about(message))
        message.options["traceparent"] = sent.traceparent
        self._thread.sending = message.message_id, sent

    def after_enqueue(self, broker: Broker, message: Any, delay: int | None) -> None:
        message_id, sent = getattr(self._thread, "sending", (None, None))
        if sent is not None and message_id == message.message_id:
            sent.end()
        self._thread.sending = None, None

    def before_process_message(self, broker: Broker, message: Any) -> None:
        delivery: Delivery = message
        self._thread.running = None
        if delivery.queue_name == QUIET or delivery.actor_name == follow.name:
            return
        began = _unix_ns(delivery.began)
        waited = int(max(0.0, delivery.waited_ms) * MS)
        about, above = _about(delivery), doing().parent
        wait = self._collector.open(
            f"wait {delivery.queue_name}", "internal", above, at=began - waited, about=about
        )
        wait.end(at=began)
        # Without anyone above it, what waited is the first of the operation.
        above = above or wait.traceparent
        name = delivery.actor_name
        running = self._collector.open(name, "consumer", above, at=began, about=about)
        self._thread.running = running
        under(running.traceparent)

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        delivery: Delivery = message
        running: Open | None = getattr(self._thread, "running", None)
        if running is None:
            return
        taken = steps.current()
        for step in taken.kept if taken else ():
            kind, about = NAMED[step.kind]
            began = _unix_ns(step.began)
            child = self._collector.open(
                f"{step.kind} {step.name}", kind, running.traceparent, at=began, about=about
            )
            child.end(at=began + int(step.ms * MS))
        outcome = outcome_of(delivery, exception)
        error = error_name(exception) if exception is not None and outcome != "done" else ""
        running.end(error=error, about={"casebook.outcome": outcome})

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        running: Open | None = getattr(self._thread, "running", None)
        if running is not None:
            running.end(about={"casebook.outcome": "skipped"})


def install(broker: StreamsBroker, collector: Collector) -> None:
    """Tell `collector` of what this broker sends and runs."""
    runs = any(isinstance(one, Operation) for one in broker.middleware)
    # Afterwards it sees the outcome that all others left.
    broker.add_middleware(Telemetry(collector), after=Operation if runs else None)


def _about(message: Any) -> dict[str, Any]:
    return {
        "messaging.system": "casebook",
        "messaging.destination.name": message.queue_name,
        "messaging.message.id": message.message_id,
    }


def _unix_ns(monotonic: float) -> int:
    """What a moment of time.monotonic() was on this machine's clock."""
    return time.time_ns() - int((time.monotonic() - monotonic) * 1e9)
