"""A worker's thread works for whoever asked: what it sends, raises and logs has their id."""

from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.delivery import Delivery
from contracts.operation import enter, under


class Operation(Middleware):
    """A message that nobody's request caused (the schedule's) is an operation of its own."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        delivery: Delivery = message
        named = delivery.options.get("operation_id")
        traced = delivery.options.get("traced") is True
        operation_id = named if isinstance(named, str) and named else delivery.message_id
        by = delivery.options.get("caller")
        by = by if isinstance(by, str) else ""
        enter(operation_id, traced=traced, actor=delivery.actor_name, by=by)
        above = delivery.options.get("traceparent")
        under(above if isinstance(above, str) else "")
