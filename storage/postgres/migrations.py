"""Forward migrations: `migrations/NNNN_name.sql`, each applied once, in one transaction."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import NamedTuple

import psycopg
from psycopg.rows import DictRow, dict_row

from contracts.entries import PRESET_CATEGORIES
from contracts.errors import DatabaseBusy
from storage.postgres.statements import statement
from storage.postgres.store import Store, translated

LOCK = 0x6361736562  # "caseb": one migration at a time in a database

# A statement that waits for its lock makes everyone who comes after it wait as well. So it gives up
# soon, lets them pass, and is tried again.
LOCK_TIMEOUT = 2_000  # ms
TRIES = 10
PAUSE = 1.0  # seconds

Session = psycopg.Connection[DictRow]


class Migration(NamedTuple):
    """One file."""

    version: int
    name: str
    sql: bytes

    def __str__(self) -> str:
        return f"{self.version:04} {self.name}"


def known() -> list[Migration]:
    """Every migration of this release, in order."""
    found = []
    for file in files("storage.postgres").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            version, _, name = file.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(version), name, file.read_bytes()))
    return sorted(found)


def migrate(url: str, *, lock_timeout: int = LOCK_TIMEOUT, tries: int = TRIES) -> list[str]:
    """Bring the database at `url` up to this release; the names of what was applied.

    Several processes may call it at once; killed in between, it goes on with the next call.
    Raises: DatabaseUnavailable; DatabaseBusy when a lock can't be had `tries` times.
    """
    applied = []
    with alone(url) as session:
        session.execute(statement("system.schema_migrations"))
        for migration in pending(session):
            _apply_patiently(session, migration, lock_timeout, tries)
            applied.append(str(migration))
        add_presets(session)
    return applied


@contextmanager
def alone(url: str) -> Iterator[Session]:
    """A session that nobody else migrates or restores beside. Raises: DatabaseUnavailable."""
    with (
        translated(),
        psycopg.connect(
            url,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=5,
            application_name="casebook migrate",
        ) as session,
    ):
        session.execute("select pg_advisory_lock(%s)", [LOCK])
        yield session


def pending(session: Session) -> list[Migration]:
    """What this release has and the database has not, in order; changes nothing.

    Not by the newest: two branches may have numbered theirs before they met.
    """
    found = session.execute(statement("system.has_migrations")).fetchone()
    if found is None or not found["found"]:
        return known()
    rows = session.execute(statement("system.schema_versions")).fetchall()
    done = {row["version"] for row in rows}
    return [migration for migration in known() if migration.version not in done]


def apply(session: Session, migration: Migration) -> None:
    """Apply one migration and note it, in one transaction (or a part of the one that is open)."""
    with session.transaction():
        session.execute(migration.sql)
        session.execute(
            statement("system.migrated"),
            {"version": migration.version, "name": migration.name},
        )


def add_presets(session: Session) -> None:
    """See that the categories that every Casebook has are there."""
    for key, name, parent in PRESET_CATEGORIES:
        session.execute(
            statement("entries.preset_category"), {"key": key, "name": name, "parent": parent}
        )


def missing(store: Store) -> list[str]:
    """What of this release was not applied. Raises SchemaMissing for an empty database."""
    with store.transaction() as tx:
        applied = {row["version"] for row in tx.rows("system.schema_versions")}
    return [f"{number:04} {name}" for number, name, _ in known() if number not in applied]


def schema_version(store: Store) -> int:
    """The newest migration applied. Raises SchemaMissing for an empty database."""
    with store.transaction() as tx:
        row = tx.row("system.schema_version")
        assert row is not None
        return int(row["version"])


def _apply_patiently(session: Session, migration: Migration, timeout: int, tries: int) -> None:
    session.execute(statement("system.set_lock_timeout"), {"ms": str(timeout)})
    for left in reversed(range(tries)):
        try:
            apply(session, migration)
            return
        except psycopg.errors.LockNotAvailable:
            if not left:
                raise DatabaseBusy(_blocked(session, migration)) from None
            time.sleep(PAUSE)


def _blocked(session: Session, migration: Migration) -> str:
    oldest = session.execute(statement("system.oldest_transaction")).fetchone()
    who = (
        f"the oldest open transaction is pid {oldest['pid']} ({oldest['application_name']}), "
        f"for {oldest['seconds']:.0f} s"
        if oldest
        else "no transaction is open any more"
    )
    return (
        f"Migration {migration} did not get its locks; {who}. Nothing of it was applied, those "
        "before it were. End that transaction, or wait, then run `casebook migrate` again."
    )
