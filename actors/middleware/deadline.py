"""A read past its deadline is dropped with a typed reply: its caller has gone."""

from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware, SkipMessage

from actors.broker.delivery import Delivery, Done
from actors.broker.replies import encode_error
from actors.middleware.replies import told_wait
from contracts.errors import DeadlineExceeded


class Deadline(Middleware):
    """Reads carry `deadline` (Redis's clock, Unix ms); writes have none."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        delivery: Delivery = message
        deadline = delivery.options.get("deadline")
        if deadline is None or delivery.started_ms <= deadline:
            return
        delivery.outcome = Done()
        if reply_to := delivery.options.get("reply_to"):
            error = encode_error(delivery.message_id, DeadlineExceeded(), told_wait(delivery))
            delivery.reply = reply_to, error
        raise SkipMessage(f"past its deadline by {delivery.started_ms - deadline:.0f} ms")
