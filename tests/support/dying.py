"""Messages that die for real, on a whole Casebook, and the waiting for what becomes of them."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson

from actors import entries
from actors.broker.broker import StreamsBroker
from actors.queues import producer_broker
from tests.support.casebook import Casebook
from tests.support.waiting import SOON


def broker_of(casebook: Casebook) -> StreamsBroker:
    """A producer's broker on its Redis."""
    endpoints = orjson.loads((casebook.data / "endpoints.json").read_bytes())
    return producer_broker(endpoints["redis_url"], "elsewhere")


def die(casebook: Casebook, entry: dict[str, Any], *, count: int = 1) -> list[str]:
    """Ask for entries without waiting for an answer; the messages' ids."""
    broker = broker_of(casebook)
    messages = [entries.create.message({"entry": entry, "key": str(uuid4())}) for _ in range(count)]
    return [broker.enqueue(message).message_id for message in messages]


def send_bytes(casebook: Casebook, body: bytes) -> None:
    """Put bytes that are no message into the queue of entries."""
    broker = broker_of(casebook)
    place = broker.keys("entries").waiting
    broker.link.ask_one((b"XADD", place, b"*", b"body", body, b"crashes", b"0"))


def until(found: Callable[[], Any]) -> Any:
    """What `found` gives as soon as it is true. Fails when it never is.

    It asks another process, which can't signal: every 100 ms.
    """
    pause = threading.Event()
    for _ in range(int(3 * SOON / 0.1)):
        if value := found():
            return value
        pause.wait(0.1)
    raise AssertionError("never")
