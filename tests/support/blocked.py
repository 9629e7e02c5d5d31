"""Seeing a blocking read from the server's side."""

import time
from collections.abc import Callable

from redis import Redis

from tests.support.waiting import SOON


def until_blocked(redis: Redis, client_id: Callable[[], int]) -> None:
    """Return once that client sits in a blocking read; until it connects its id may change."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        for client in redis.client_list():
            if int(client["id"]) == client_id() and "b" in client["flags"]:
                return
    raise AssertionError(f"client {client_id()} does not block")
