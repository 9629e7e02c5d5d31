"""Asks for the dead to be archived as soon as something died."""

import logging
from typing import Any

from dramatiq import Broker
from dramatiq.middleware import Middleware

from actors.upkeep import archive
from contracts.base import Nothing
from contracts.errors import CasebookError

log = logging.getLogger(__name__)


class Letters(Middleware):
    """A wish that is lost costs seconds: the schedule archives too."""

    def after_nack(self, broker: Broker, message: Any) -> None:
        try:
            broker.enqueue(archive.message(Nothing(), unique=archive.name))
        except CasebookError as error:
            log.info("a dead letter waits for the schedule: %s", error.message)
