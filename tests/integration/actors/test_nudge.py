"""A node's indexer is woken again once Redis takes writes again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.nudge import Listener, Nudge
from actors.queues import producer_broker, queue_of
from contracts.errors import QueueUnavailable
from deploy.valkey import EmbeddedValkey
from storage.index.searcher import IndexReader
from tests.support.waiting import SOON

NODE = "here"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A Valkey of this test's own that refuses writes, as one does whose disk is full."""
    server = EmbeddedValkey(tmp_path)
    server.start()
    with Redis.from_url(server.url, socket_timeout=None) as client:
        client.config_set("min-replicas-to-write", 1)
        yield client
    server.stop()


@pytest.fixture
def broker(redis: Redis) -> StreamsBroker:
    """A producer of index messages."""
    url = f"unix://{redis.connection_pool.connection_kwargs['path']}"
    return producer_broker(url, NODE)


def test_a_refused_write_is_typed(broker: StreamsBroker) -> None:
    """A server that refuses writes is one that can't be used now: QueueUnavailable says why."""
    with pytest.raises(QueueUnavailable) as caught:
        Nudge(broker, NODE)()
    assert "NOREPLICAS" in caught.value.details["reason"]


def test_the_listener_outlives_refusals(
    redis: Redis, broker: StreamsBroker, database_url: str, tmp_path: Path
) -> None:
    """While Redis refuses writes nobody can be woken; afterwards the indexer is."""
    refused: list[Exception] = []

    class Noting(Nudge):
        def __call__(self, delay: int = 0) -> None:
            try:
                super().__call__(delay)
            except Exception as error:
                refused.append(error)
                redis.config_set("min-replicas-to-write", 0)
                raise

    listener = Listener(database_url, Noting(broker, NODE), IndexReader(tmp_path / "index"))
    listener.start()
    try:
        waiting: dict[Any, Any] = {broker.keys(queue_of(NODE)).waiting: 0}
        assert redis.xread(waiting, block=int(SOON * 1000)), "nobody was woken"
        assert refused
    finally:
        listener.stop()
