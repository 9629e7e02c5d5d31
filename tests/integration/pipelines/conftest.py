"""An instance for what is kept, and processes that answer from it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from redis import Redis

from contracts.position import Position
from deploy.valkey import EmbeddedCache
from pipelines.answers import Answers
from storage.breaker import Breaker
from storage.cache.hot import Hot
from storage.cache.layers import Cache
from storage.cache.warm import Warm
from storage.index.freshness import Fresh

#: Seconds that the warm layer may take: not under test, and the machine may be slow.
PATIENT = 5.0
Published = Callable[[], Fresh | None]
Process = Callable[..., AbstractAsyncContextManager[Answers]]


@pytest.fixture(scope="session")
def cache_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCache]:
    """The instance that the tests of this folder share."""
    server = EmbeddedCache(tmp_path_factory.mktemp("cache"), maxmemory="20mb")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cache_url(cache_server: EmbeddedCache) -> str:
    """Where it is; it is empty, and has counted nothing."""
    with Redis.from_url(cache_server.url) as client:
        client.flushall()
        client.config_resetstat()
    return cache_server.url


@pytest.fixture
def process(cache_url: str) -> Process:
    """Makes what each process has: a hot layer of its own, and the warm one that all share."""

    @asynccontextmanager
    async def make(
        published: Published, met: Callable[[Position], None] = lambda position: None
    ) -> AsyncIterator[Answers]:
        warm = Warm(cache_url, Breaker("cache", failures=1000), PATIENT)
        async with (
            Cache(Hot(10_000_000), warm) as cache,
            Answers(cache, published, met) as answers,
        ):
            yield answers

    return make
