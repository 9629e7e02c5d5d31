"""A Redis that answers and takes no writes for a while, as one does whose disk is full."""

from pathlib import Path

import dramatiq
from redis import Redis

from actors.broker.broker import StreamsBroker
from actors.broker.consumer import Consumer
from actors.broker.heartbeat import Heartbeat, Janitor
from actors.broker.link import Link
from deploy.valkey import EmbeddedValkey

LIFETIME = 1_500  # ms


def test_refused_heartbeats_are_nobodys_death(tmp_path: Path) -> None:
    """No connection ends, the heartbeats do; when writes are taken again nothing is claimed."""
    server = EmbeddedValkey(tmp_path)
    server.start()
    broker = StreamsBroker(server.url)
    broker.declare_queue("q")
    keys = broker.keys("q")
    consumer = Consumer(Link(server.url), keys, "alive")
    heartbeat = Heartbeat(server.url, [(keys, "alive")], LIFETIME)
    janitor = Janitor(server.url, [keys], LIFETIME)
    message = dramatiq.Message("q", "work", (), {}, {})
    broker.enqueue(message)
    heartbeat.beat()
    assert len(consumer.take(1, 0)) == 1
    janitor.start()
    try:
        with Redis.from_url(server.url) as redis:
            # Past its first quiet time, with a heart that beats.
            for _ in range(8):
                heartbeat.beat()
                assert not redis.xread({keys.suspects: 0}, block=LIFETIME // 3)
            redis.config_set("min-replicas-to-write", 1)
            while redis.exists(f"{keys.alive}alive"):
                pass
            redis.config_set("min-replicas-to-write", 0)
            # The heart's next beat is late, the janitor's next look is not.
            assert not redis.xread({keys.suspects: 0}, block=LIFETIME)
    finally:
        janitor.stop()
        consumer.link.close()
        server.stop()
