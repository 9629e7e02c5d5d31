"""Answers the client that waits for a message, when the message has ended."""

import logging
from dataclasses import replace
from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.delivery import Delivery, Retry
from actors.broker.encoding import REPLY_MAX
from actors.broker.history import count
from actors.broker.replies import encode_error, encode_reply
from contracts.errors import CasebookError, ReplyTooLarge, WriteWaiting
from contracts.operation import current

log = logging.getLogger(__name__)


#: Pauses after which a caller is told that its write waits: 0.1 + 0.2 + 0.4 + 0.8 s at most.
EARLY = 4


class Replies(Middleware):
    """Needs Retries later in the list: it reads the outcome that Retries recorded.

    A message that is to be tried again is not answered yet, unless its caller asked to be told
    `early` that a write waits for PostgreSQL.
    """

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        delivery: Delivery = message
        if exception is not None and not isinstance(exception, CasebookError):
            log.error("%s %s failed", delivery.actor_name, delivery.message_id, exc_info=exception)
        reply_to = delivery.options.get("reply_to")
        if reply_to is None:
            return
        if isinstance(delivery.outcome, Retry):
            if delivery.options.get("early") and count(delivery.options, "snoozes") >= EARLY:
                delivery.reply = reply_to, encode_error(delivery.message_id, WriteWaiting())
                delivery.outcome = _unbound(delivery.outcome)
            return
        delivery.reply = reply_to, _frame(delivery, result, exception)


def _unbound(outcome: Retry) -> Retry:
    """The retry of a message whose caller has been told that it will take a while."""
    return replace(outcome, options={**outcome.options, "reply_to": None, "early": None})


def told_wait(delivery: Delivery) -> int | None:
    """What it waited in its queue (ms), for clients that ask: those of before can't read it."""
    return int(delivery.waited_ms) if delivery.options.get("tell_wait") else None


def _frame(delivery: Delivery, result: Any, exception: BaseException | None) -> bytes:
    message_id, waited_ms = delivery.message_id, told_wait(delivery)
    if exception is None:
        body = result if isinstance(result, bytes) else b"null"
        if len(body) <= REPLY_MAX:
            return encode_reply(message_id, body, waited_ms)
        exception = ReplyTooLarge(bytes=len(body))
    if not isinstance(exception, CasebookError):
        # What an unexpected exception says is for the log, not for a caller.
        exception = CasebookError(operation_id=current() or message_id)
    return encode_error(message_id, exception, waited_ms)
