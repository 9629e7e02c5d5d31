"""The cache's instance, as `casebook up` runs it, and a layer on it that is empty."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from deploy.valkey import EmbeddedCache
from storage.breaker import Breaker
from storage.cache.warm import Warm

#: Seconds. Not under test where it is this long: the machine may be slow.
PATIENT = 5.0


@pytest.fixture(scope="session")
def cache_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCache]:
    """The instance that the tests of this folder share."""
    server = EmbeddedCache(tmp_path_factory.mktemp("cache"), maxmemory="20mb")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cache_url(cache_server: EmbeddedCache) -> Iterator[str]:
    """Where it is; it is empty, and its settings are what they were."""
    with Redis.from_url(cache_server.url) as client:
        client.flushall()
        yield cache_server.url
        client.config_set("maxmemory", "20mb", "maxmemory-policy", "allkeys-lfu")


@pytest.fixture
def redis(cache_url: str) -> Iterator[Redis]:
    """What others than the layer do there."""
    with Redis.from_url(cache_url) as client:
        yield client


@pytest.fixture
def make_warm(cache_url: str) -> Callable[..., Warm]:
    """Makes layers of processes; call it in the event loop that they are used in."""

    def make(url: str = cache_url, timeout: float = PATIENT, failures: int = 5) -> Warm:
        return Warm(url, Breaker("cache", failures=failures), timeout)

    return make


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedCache]:
    """An instance that the test may do anything to."""
    server = EmbeddedCache(tmp_path / "own", maxmemory="20mb")
    server.start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.process.send_signal(signal.SIGCONT)
    server.stop()
