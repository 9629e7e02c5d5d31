"""The pool and a PostgreSQL that goes and comes back."""

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest

from contracts.errors import DatabaseBusy, DatabaseUnavailable
from deploy.postgres import EmbeddedPostgres
from storage.breaker import State
from storage.postgres import store
from storage.postgres.migrations import migrate
from storage.postgres.store import Store
from tests.support.waiting import SOON

CONNECTIONS = 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test's own, which it may kill."""
    server = EmbeddedPostgres(tmp_path)
    server.start()
    migrate(server.url)
    yield server
    server.stop()


@pytest.fixture
def busy(server: EmbeddedPostgres) -> Iterator[Store]:
    """A store whose pool has all its connections."""
    found = Store(server.url, most=CONNECTIONS)
    found.open()
    together = threading.Barrier(CONNECTIONS)

    def hold() -> None:
        with found.transaction():
            together.wait(SOON)

    threads = [threading.Thread(target=hold) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield found
    found.close()


def _kill(server: EmbeddedPostgres) -> None:
    """Kill PostgreSQL; nobody is served any more: its backends outlive it by a moment."""
    assert server.process is not None
    backends = psutil.Process(server.process.pid).children()
    server.process.kill()
    server.process.wait()
    assert not psutil.wait_procs(backends, SOON)[1]


def test_nobody_pays_for_lost_connections(server: EmbeddedPostgres, busy: Store) -> None:
    """After a restart of the server the first caller is answered: all idle ones are replaced."""
    _kill(server)
    server.start()
    with busy.transaction() as tx:
        assert tx.row("system.schema_version") is not None


def test_a_migration_under_a_prepared_statement_is_not_yet_and_then_fine(
    store: Store, database_url: str
) -> None:
    """Workers of the release before go on: each connection is refused once, and tried again."""

    def read() -> None:
        with store.transaction() as tx:
            tx.row("entries.get", id=uuid4())

    for _ in range(10 * CONNECTIONS):  # psycopg prepares what comes again
        read()
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute("alter table entries add column of_later integer")
    refused = 0
    for _ in range(2 * CONNECTIONS):
        try:
            read()
        except DatabaseBusy:
            refused += 1
    assert 1 <= refused <= CONNECTIONS
    read()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers give up after less than a second."""
    monkeypatch.setattr(store, "CONNECT_TIMEOUT", 0.8)


@pytest.mark.usefixtures("impatient")
def test_the_first_caller_after_an_outage_connects(
    server: EmbeddedPostgres, request: pytest.FixtureRequest
) -> None:
    """How long the server was away, and how often it was tried, does not delay its return."""
    busy: Store = request.getfixturevalue("busy")
    _kill(server)
    for _ in range(4):  # by then an attempt of the pool's own would be seconds away
        with pytest.raises(DatabaseUnavailable), busy.transaction():
            pass
    server.start()
    with busy.transaction() as tx:
        assert tx.row("system.schema_version") is not None


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_away_is_given_up_until_it_is_back(
    server: EmbeddedPostgres, request: pytest.FixtureRequest
) -> None:
    """From the fifth failure on nobody asks the pool; who waits goes on once it is back."""
    busy: Store = request.getfixturevalue("busy")
    assert busy.lookout.wait(0)
    _kill(server)
    for _ in range(5):
        with pytest.raises(DatabaseUnavailable), busy.transaction():
            pass
    asked = busy.pool_use().requests
    with pytest.raises(DatabaseUnavailable) as refused, busy.transaction():
        pass
    assert refused.value.details["circuit"] == "postgresql"
    assert busy.pool_use().requests == asked
    assert not busy.lookout.wait(0)
    server.start()
    assert busy.lookout.wait(SOON)
    assert busy.breaker.circuit() == ("postgresql", State.CLOSED, 1, 0.0)
    with busy.transaction() as tx:
        assert tx.row("system.schema_version") is not None


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stands_still_is_given_up_until_it_goes_on(
    server: EmbeddedPostgres, request: pytest.FixtureRequest
) -> None:
    """Its connections are open and silent: a caller waits for the first answer only so long."""
    busy: Store = request.getfixturevalue("busy")
    assert server.process is not None
    postmaster = psutil.Process(server.process.pid)
    standing = [postmaster, *postmaster.children()]

    def go_on() -> None:
        for one in standing:
            one.resume()

    at_last = threading.Timer(SOON, go_on)  # for a caller who waits for ever
    at_last.start()
    for one in standing:
        one.suspend()
    try:
        while busy.breaker.state is State.CLOSED:
            with pytest.raises(DatabaseUnavailable), busy.transaction():
                pass
        assert not busy.lookout.wait(0)
    finally:
        at_last.cancel()
        go_on()
    assert busy.lookout.wait(SOON)
    with busy.transaction() as tx:
        assert tx.row("system.schema_version") is not None


def test_a_body_that_fails_says_nothing_about_the_server(store: Store) -> None:
    """Neither do statements that PostgreSQL refuses: it is there."""
    for _ in range(6):
        with pytest.raises(RuntimeError), store.transaction():
            raise RuntimeError
        with pytest.raises(DatabaseBusy), store.transaction() as tx:
            tx.connection.execute("set local statement_timeout = 1")
            tx.connection.execute("select pg_sleep(9)")
    assert store.breaker.state is State.CLOSED
