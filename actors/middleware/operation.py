"""A worker's thread works for whoever asked: what it sends, raises and logs has their id."""

from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.delivery import Delivery
from contracts.operation import enter


class Operation(Middleware):
    """A message that nobody's request caused (the schedule's) is an operation of its own."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        delivery: Delivery = message
        options = delivery.options
        enter(
            _text(options, "operation_id") or delivery.message_id,
            traced=options.get("traced") is True,
            actor=delivery.actor_name,
            by=_text(options, "caller"),
            parent=_text(options, "traceparent"),
        )


def _text(options: dict[str, Any], name: str) -> str:
    """Options may be anybody's."""
    value = options.get(name)
    return value if type(value) is str else ""
