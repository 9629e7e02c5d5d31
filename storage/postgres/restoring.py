"""A backup put in place of what a database holds: wholly, or not at all."""

from collections.abc import Callable, Iterator
from typing import LiteralString, Protocol

from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb

from contracts.backup import BackupTable, Manifest
from contracts.errors import BackupOfLaterRelease, LiveData
from storage.postgres.migrations import Session, add_presets, alone, apply, known
from storage.postgres.snapshot import Table, tables, things
from storage.postgres.statements import statement

#: Tables that a place has which nobody has worked in yet.
UNTOUCHED = {"schema_migrations", "epoch", "categories", "api_keys"}
SPENT_AT_ONCE = 10_000  # transaction numbers, by `backup.spend`
LOCK_TIMEOUT = 10_000  # ms

Report = Callable[[str, int], None]


class Backup(Protocol):
    """What is to be restored."""

    manifest: Manifest

    def rows(self, table: BackupTable) -> Iterator[bytes]:
        """The table's rows in COPY's text format."""


def restore(
    url: str, backup: Backup, *, replace: bool, by: str, report: Report = lambda name, rows: None
) -> None:
    """Put `backup` into the database at `url`, in one transaction and as a new epoch.

    The schema is the backup's, then brought up to this release. Whoever is connected is cut off
    before and after. `report` hears each table's name and rows.

    Raises: LiveData for a place that is in use, unless `replace`; BackupOfLaterRelease;
    DatabaseUnavailable, DatabaseBusy. Whatever is raised, the database is as it was.
    """
    refuse_later(backup.manifest)
    with alone(url) as session:
        if not replace:
            refuse_live(session)  # before anyone is cut off
        session.execute(statement("backup.customs"), {"lock_timeout": str(LOCK_TIMEOUT)})
        session.execute(statement("backup.others"))
        with session.transaction():
            _make_room(session, replace=replace)
            _make_schema(session, backup.manifest)
            for table in backup.manifest.tables:
                _fill(session, table, backup.rows(table))
                report(table.name, table.rows)
            _bring_up_to_date(session, backup.manifest)
            begin_epoch(session)
            _note(session, backup.manifest, by)
            session.execute(statement("feed.notify"))
        session.execute(statement("backup.others"))
        session.execute(_over(tables(session), "analyze {}"))


def refuse_later(manifest: Manifest) -> None:
    """Raise BackupOfLaterRelease when this release has not every migration of the backup's."""
    strange = sorted(set(manifest.migrations) - {one.version for one in known()})
    if strange:
        raise BackupOfLaterRelease(release=manifest.release, migrations=strange)


def refuse_live(session: Session) -> None:
    """Raise LiveData when anything was ever stored in the database."""
    for table in tables(session):
        if table.name not in UNTOUCHED and _has_rows(session, table):
            raise LiveData(table=table.name)


def begin_epoch(session: Session) -> None:
    """Make the change feed one of this cluster's, and strange to every index that followed it."""
    wanted = _number(session, "transactions", "count")
    session.execute(statement("backup.spend_table"))
    for _ in range(_number(session, "next_transaction", "txid"), wanted + 1, SPENT_AT_ONCE):
        session.execute(statement("backup.spend"))
    session.execute(statement("backup.renumber_changes"))
    session.execute(statement("backup.renumber_chunks"))
    session.execute(statement("backup.new_epoch"))
    session.execute(statement("backup.new_tuning"))


def _make_room(session: Session, *, replace: bool) -> None:
    if ours := tables(session):
        session.execute(_over(ours, "lock table {}"))
        if not replace:
            refuse_live(session)  # again: nobody writes any more
        _drop(session, "view")
        session.execute(_over(ours, "drop table {}"))
        _drop(session, "sequence")
        _drop(session, "function")


def _drop(session: Session, kind: str) -> None:
    for name in things(session, kind):
        session.execute(f"drop {kind} {name}".encode())  # quoted by PostgreSQL


def _make_schema(session: Session, manifest: Manifest) -> None:
    """Empty tables as the backup's release had them."""
    session.execute(statement("system.schema_migrations"))
    for migration in known():
        if migration.version in manifest.migrations:
            apply(session, migration)
    for part in manifest.partitions:
        query = SQL("create table {} partition of {} ").format(
            Identifier(part.name), Identifier(part.parent)
        )
        session.execute(query.as_bytes(session) + part.bound.encode())
    session.execute(_over(tables(session), "truncate {}"))


def _fill(session: Session, table: BackupTable, rows: Iterator[bytes]) -> None:
    query = SQL("copy {} ({}) from stdin").format(
        Identifier(table.name), SQL(", ").join(map(Identifier, table.columns))
    )
    with session.cursor() as cursor, cursor.copy(query) as copy:
        for piece in rows:
            copy.write(piece)


def _bring_up_to_date(session: Session, manifest: Manifest) -> None:
    """Go on counting where the rows end; then what is newer than the backup."""
    for row in session.execute(statement("backup.counters")).fetchall():
        query = SQL(
            "select setval(pg_get_serial_sequence({}, {}), coalesce(max({}), 0) + 1, false) from {}"
        )
        table, column = row["table_name"], row["column_name"]
        session.execute(query.format(table, column, Identifier(column), Identifier(table)))
    for name, last in manifest.sequences.items():
        session.execute(statement("backup.set_sequence"), {"name": name, "last": last})
    for migration in known():
        if migration.version not in manifest.migrations:
            apply(session, migration)
    add_presets(session)


def _note(session: Session, manifest: Manifest, by: str) -> None:
    details = Jsonb({"made_at": manifest.made_at.isoformat(), "rows": manifest.rows})
    values = {"by": by, "action": "restore", "target": "database", "details": details}
    session.execute(statement("dead_letters.audit"), values)


def _number(session: Session, name: str, column: str) -> int:
    row = session.execute(statement(f"backup.{name}")).fetchone()
    assert row is not None
    return int(row[column])


def _over(found: list[Table], query: LiteralString) -> Composed:
    """The query with the tables' names in it."""
    return SQL(query).format(SQL(", ").join(Identifier(table.name) for table in found))


def _has_rows(session: Session, table: Table) -> bool:
    query = SQL("select exists (select from {}) as found").format(Identifier(table.name))
    row = session.execute(query).fetchone()
    return bool(row and row["found"])
