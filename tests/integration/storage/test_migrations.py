"""Migrations: each once, also one that came with a lower number than what is there."""

import psycopg

from storage.postgres.migrations import known, migrate


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
