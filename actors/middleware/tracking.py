"""Records the ends of tracked messages, and sends what comes after them."""

import logging
from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware, SkipMessage

from actors import tracking
from actors.broker.broker import StreamsBroker
from actors.broker.delivery import Delivery, Done, Retry
from actors.tracking import Place
from contracts.errors import CasebookError, TaskCanceled
from storage.postgres.store import Store

log = logging.getLogger(__name__)

PAUSE = 500  # ms until recording is tried again


class Tracking(Middleware):
    """Needs Retries later in the list: a message that is to be tried again has no end yet."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        delivery: Delivery = message
        place = Place.of(delivery.options)
        if place is None:
            return
        try:
            if _is_to_run(broker, place, delivery.options.get("send")):
                return
            delivery.outcome = Done()
        except CasebookError as error:
            delivery.outcome = Retry(PAUSE, {})
            raise SkipMessage(f"its task can't be read yet: {error.message}") from None
        raise SkipMessage("its task was canceled, or it was sent anew or has succeeded before")

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        delivery: Delivery = message
        place = Place.of(delivery.options)
        if place is None:
            return
        if isinstance(exception, TaskCanceled):
            delivery.outcome = Done()
        elif exception is None and isinstance(delivery.outcome, Done):
            try:
                _record(broker, place, result)
            except CasebookError as error:
                log.info("%s is done and not recorded yet: %s", delivery.message_id, error.message)
                delivery.outcome = Retry(PAUSE, {})


def _is_to_run(broker: Broker, place: Place, send: int | None) -> bool:
    """Whether a member is to run. `send` is the how-manieth sending this is, None for a replay."""
    assert isinstance(broker, StreamsBroker)
    store: Store = broker.resources[Store]
    with store.transaction() as tx:
        tx.run("tasks.hear", id=place.task)
        task = tx.row("tasks.status", id=place.task)
        member = tx.row("tasks.member", **place.parameters)
        if task is None or member is None or task["status"] == "canceled":
            return False
        if member["status"] != "succeeded":
            # A task that was canceled and resumed has sent it again: one of the two goes on.
            return send is None or send >= int(member["sends"])
        due = tracking.due(tx, broker, place.task)
    tracking.send(broker, due)  # whoever recorded it may have died before it sent these
    return False


def _record(broker: Broker, place: Place, result: Any) -> None:
    assert isinstance(broker, StreamsBroker)
    store: Store = broker.resources[Store]
    with store.transaction() as tx:
        more = tracking.arrived(tx, place, result if isinstance(result, bytes) else b"null")
        due = tracking.due(tx, broker, place.task) if more else []
    tracking.send(broker, due)
