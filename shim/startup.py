"""How a shim starts: in phases, as workers do; what it can answer it answers meanwhile."""

from collections.abc import Callable

from redis.exceptions import RedisError

from actors.broker import queues
from actors.broker.broker import StreamsBroker
from actors.broker.link import Link
from actors.startup import Phase
from contracts.errors import IndexUnavailable, NoReply, QueueUnavailable

ASKED = "search"  # the queue whose readers it asks for most


def phases(
    broker: StreamsBroker, cache_url: str | None, sees_index: Callable[[], bool]
) -> list[Phase]:
    """What a shim needs, in order; the cache only where there is one."""

    def workers() -> None:
        broker.declare_queue(ASKED)
        if not queues.state(broker, ASKED).consumers:
            raise NoReply(reason=f"no worker reads {ASKED}")

    def index() -> None:
        if not sees_index():
            raise IndexUnavailable

    found: list[Phase] = [
        ("connectivity", lambda: broker.link.ask_one((b"PING",))),
        ("workers", workers),
        ("index", index),
    ]
    if cache_url is not None:
        found.append(("cache", lambda: _answers(cache_url)))
    return found


def _answers(url: str) -> None:
    link = Link(url)
    try:
        link.ask_one((b"PING",))
    except RedisError as error:
        raise QueueUnavailable(reason=f"the cache: {error}") from error
    finally:
        link.close()
