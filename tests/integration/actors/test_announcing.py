"""Shims that see no index's folder hear what is published, and believe nothing that may be over."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from actors import announcing
from actors.announcing import NODES, Announcer, Heard
from actors.broker.broker import StreamsBroker
from contracts.errors import QueueUnavailable
from contracts.position import Position
from storage.index import published
from storage.index.published import Published
from storage.index.schema import SCHEMA_VERSION
from storage.index.touched import Touched
from tests.support.proxy import Proxy
from tests.support.waiting import run

BUILT = 1000.0


def at(number: int) -> Position:
    """A position; later for larger numbers."""
    return Position("e", number, number)


class Node:
    """A node's folder, and who tells of it."""

    def __init__(self, root: Path, url: str) -> None:
        root.mkdir()
        self.root = root
        self.touched = Touched.everything(at(1), BUILT)
        self.announce = Announcer(StreamsBroker(url), root.name, root)

    def commit(self, number: int, *categories: str) -> None:
        """Publish a position, and tell."""
        self.touched = self.touched.by(at(number), categories)
        where = Published("v", 1, at(number), SCHEMA_VERSION, 1, touched=self.touched)
        published.write(self.root, where)
        self.announce()


@pytest.fixture
def redis(proxy: Proxy, redis_url: str) -> Iterator[Redis]:
    """Nobody has said anything yet."""
    with Redis.from_url(redis_url) as client:
        client.delete(NODES, announcing.SAID)
        yield client


async def until(heard: Heard, number: int | None) -> None:
    """Return once so much is known; None: once nothing is."""
    wanted = at(number) if number else None
    while True:  # nothing signals that something is known no more
        now = heard.fresh()
        if (now.position if now else None) == wanted:
            return
        await asyncio.sleep(0.001)


def test_what_is_said_is_heard(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """What was said before, what is said later, by each node; the same again is not said."""

    async def scenario() -> None:
        here, there = Node(tmp_path / "here", redis_url), Node(tmp_path / "there", redis_url)
        async with Heard(redis_url) as heard:
            await until(heard, None)
            here.commit(1)
            await until(heard, 1)
            there.commit(2, "db2")
            await until(heard, 2)
            assert heard.fresh().since(("VSAM",)) == at(1)  # type: ignore[union-attr]
        async with Heard(redis_url) as late:
            await until(late, 2)
        said = redis.xlen(announcing.SAID)
        here.announce()
        assert redis.xlen(announcing.SAID) == said
        here.announce(True)
        assert redis.xlen(announcing.SAID) == said + 1

    run(scenario())


def test_nothing_is_said_before_the_index_has_followed(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    """What lies in a folder at a start may be of another history."""
    node = Node(tmp_path / "here", redis_url)
    published.write(node.root, Published("v", 1, at(1), SCHEMA_VERSION, 1))
    node.announce(True)
    assert not redis.exists(NODES)
    node.announce()
    assert redis.exists(NODES)


def test_without_redis_nothing_is_known(
    redis: Redis, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the moment the connection ends; afterwards what was said meanwhile is."""
    monkeypatch.setattr(announcing, "TRUST", 1000.0)

    async def scenario() -> None:
        node = Node(tmp_path / "here", redis_url_of(redis))
        node.commit(1)
        async with Heard(proxy.url) as heard:
            await until(heard, 1)
            proxy.down()
            await until(heard, None)
            node.commit(2)
            proxy.up()
            await until(heard, 2)

    run(scenario())


def test_a_silent_connection_is_not_believed(
    redis: Redis, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody ends it and nothing comes: what was known ends by itself, and then by a new one."""
    monkeypatch.setattr(announcing, "TRUST", 0.6)
    monkeypatch.setattr(announcing, "LISTEN", 0.05)

    async def scenario() -> None:
        node = Node(tmp_path / "here", redis_url_of(redis))
        node.commit(1)
        async with Heard(proxy.url) as heard:
            await until(heard, 1)
            proxy.swallow()
            node.commit(2)
            await until(heard, None)
            await until(heard, 2)

    run(scenario())


def test_a_redis_that_came_back_with_less_is_not_believed(
    redis: Redis, proxy: Proxy, tmp_path: Path
) -> None:
    """What was heard once is published, whatever Redis has lost; so is what an answer came from."""

    async def scenario() -> None:
        node = Node(tmp_path / "here", redis_url_of(redis))
        node.commit(1)
        older = redis.hgetall(NODES)
        node.commit(5, "db2")
        async with Heard(proxy.url) as heard:
            await until(heard, 5)
            proxy.down()
            redis.hset(NODES, mapping=older)
            proxy.up()
            await until(heard, None)
            await until(heard, 5)
            assert heard.fresh().since(("VSAM",)) == at(5)  # type: ignore[union-attr]
            heard.met(at(7))
            await until(heard, 7)
            node.commit(8, "db2")
            await until(heard, 8)
            assert heard.fresh().since(("VSAM",)) == at(1)  # type: ignore[union-attr]

    run(scenario())


def test_a_redis_that_takes_no_writes_is_told_again(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    """What could not be said is said by the next call."""
    node = Node(tmp_path / "here", redis_url)
    redis.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(QueueUnavailable):
            node.commit(1)
    finally:
        redis.config_set("min-replicas-to-write", 0)
    node.announce()
    assert redis.hlen(NODES) == 1


def redis_url_of(redis: Redis) -> str:
    """Its own address, past the proxy."""
    return f"unix://{redis.connection_pool.connection_kwargs['path']}"
