"""Answers the client that waits for a message, when the message has ended."""

import logging
from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.broker.delivery import Delivery, Retry
from actors.broker.encoding import REPLY_MAX
from actors.broker.replies import encode_error, encode_reply
from contracts.errors import CasebookError, ReplyTooLarge

log = logging.getLogger(__name__)


class Replies(Middleware):
    """Needs Retries later in the list: it reads the outcome that Retries recorded.

    A message that is to be tried again is not answered yet.
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
        if reply_to is None or isinstance(delivery.outcome, Retry):
            return
        delivery.reply = reply_to, _frame(delivery.message_id, result, exception)


def _frame(message_id: str, result: Any, exception: BaseException | None) -> bytes:
    if exception is None:
        body = result if isinstance(result, bytes) else b"null"
        if len(body) <= REPLY_MAX:
            return encode_reply(message_id, body)
        exception = ReplyTooLarge(bytes=len(body))
    if not isinstance(exception, CasebookError):
        # What an unexpected exception says is for the log, not for a caller.
        exception = CasebookError(operation_id=message_id)
    return encode_error(message_id, exception)
