"""A write does not set out while PostgreSQL is known to be away: it waits a moment in its thread.

It would be refused at once and come again from `delayed`, and thousands that wait would go round
and round for the whole outage, at the cost of the searches beside them. Reads are refused at once.
"""

from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.delivery import Delivery
from storage.postgres.store import AWAY_TIMEOUT, Store


class Patience(Middleware):
    """Ends its wait in the moment in which PostgreSQL is back."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        delivery: Delivery = message
        store: Store | None = getattr(broker, "resources", {}).get(Store)
        if store is not None and "deadline" not in delivery.options:
            store.lookout.wait(AWAY_TIMEOUT)
