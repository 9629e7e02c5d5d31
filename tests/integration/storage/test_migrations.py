"""Migrations: each once, also one that came with a lower number than what is there."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from contracts.errors import DatabaseBusy
from storage.postgres.migrations import alone, apply, known, migrate, pending
from storage.postgres.plans import INSTANT, Wait, plan
from storage.postgres.statements import statement
from tests.support.waiting import SOON


def test_every_migration_is_applied_once(database_url: str) -> None:
    """The database of a test has them all; nothing is left to apply."""
    assert migrate(database_url) == []


def test_a_migration_that_was_passed_over_is_applied(database_url: str) -> None:
    """Two branches may have numbered theirs before they met."""
    version, name, _ = next(one for one in known() if one[1] == "mappings")
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute("drop table mappings")
        session.execute("alter table imports drop column notes")
        session.execute("delete from schema_migrations where version = %s", [version])
    assert migrate(database_url) == [f"{version:04} {name}"]
    assert migrate(database_url) == []


def undo(url: str, *names: str) -> list[str]:
    """Take migrations back; what is then to be applied."""
    undone = {
        "mappings": "drop table mappings; alter table imports drop column notes",
        "heard": "alter table tasks drop column heard_at",
    }
    found = [one for one in known() if one.name in names]
    with psycopg.connect(url, autocommit=True) as session:
        for one in found:
            session.execute(undone[one.name].encode())
            session.execute("delete from schema_migrations where version = %s", [one.version])
    return [str(one) for one in found]


def test_a_lock_that_cannot_be_had_is_given_up_and_named(database_url: str) -> None:
    """Who holds it is told; what came before is kept, and the next call goes on."""
    first, second = undo(database_url, "mappings", "heard")
    with psycopg.connect(database_url, application_name="a long report") as holder:
        holder.execute("select from tasks")
        with pytest.raises(DatabaseBusy, match=f"{second}.*a long report"):
            migrate(database_url, lock_timeout=50, tries=1)
        # Nobody waits behind it: the table can be used.
        with psycopg.connect(database_url, options="-c lock_timeout=5000") as session:
            session.execute("select from tasks")
            assert session.execute("select notes from imports").fetchall() == []
    assert first != second
    assert migrate(database_url) == [second]


def test_a_lock_that_comes_free_is_taken(database_url: str) -> None:
    """The attempt after the holder's end succeeds."""
    wanted = undo(database_url, "heard")
    with psycopg.connect(database_url) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("select from tasks")
        applied = pool.submit(migrate, database_url, lock_timeout=5_000, tries=10)
        until_waiting(database_url)
        holder.rollback()
        assert applied.result(SOON) == wanted


def test_a_migration_that_is_killed_leaves_the_database_as_it_was_or_whole(
    new_database: Callable[[], str], database_url: str
) -> None:
    """SIGKILL in the middle of a statement: those before it are whole, of it there is nothing."""
    url = new_database()
    blocked = next(one for one in known() if one.name == "import_modes")
    with psycopg.connect(url, autocommit=True) as holder:
        with alone(url) as session:
            session.execute(statement("system.schema_migrations"))
            apply(session, known()[0])
        with holder.transaction():
            holder.execute("select from entry_versions")  # what its last statement changes
            process = subprocess.Popen([sys.executable, "-c", MIGRATE, url])
            try:
                until_waiting(url)
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
    with alone(url) as session:  # the server has noticed: its lock is free
        assert pending(session)[0] == blocked
        staged = session.execute("select to_regclass('import_staged') as found").fetchone()
    assert staged == {"found": None}
    assert migrate(url)[0] == str(blocked)
    assert columns(url) == columns(database_url)


MIGRATE = """
import sys
from storage.postgres.migrations import migrate
migrate(sys.argv[1], lock_timeout=60_000)
"""
COLUMNS = """
select table_name, column_name, data_type, is_nullable, column_default
from information_schema.columns where table_schema = 'public' order by 1, 2
"""


def columns(url: str) -> list[tuple[object, ...]]:
    """Every column of the schema."""
    with psycopg.connect(url) as session:
        return session.execute(COLUMNS).fetchall()


def until_waiting(url: str) -> None:
    """Return once a session waits for a table's lock. PostgreSQL has no signal for it."""
    pause, asked = threading.Event(), "select from pg_locks where not granted and relation > 0"
    with psycopg.connect(url, autocommit=True) as session:
        for _ in range(int(2 * SOON / 0.02)):
            if session.execute(asked).fetchall():
                return
            pause.wait(0.02)
    raise AssertionError("nobody waits")


def test_a_plan_says_who_waits_and_changes_nothing(
    database_url: str, new_database: Callable[[], str]
) -> None:
    """With how much there is to look at; in an empty database nobody is there to wait."""
    wanted = undo(database_url, "mappings", "heard")
    planned = plan(database_url)
    assert [str(one.migration) for one in planned] == wanted
    assert planned[1].waits == (Wait("tasks", INSTANT),)
    assert planned[1].bytes["tasks"] > 0
    assert plan(database_url) == planned
    empty = plan(new_database())
    assert [one.migration for one in empty] == known()
    assert not [one for one in empty if one.waits]
