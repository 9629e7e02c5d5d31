"""Every row that can't be rebuilt, as it was at one moment, while writing goes on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from graphlib import TopologicalSorter
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from contracts.backup import BackupPartition
from storage.postgres.migrations import Session, known
from storage.postgres.statements import statement
from storage.postgres.store import translated

#: Rows are written and read alike on every server, whatever its own customs.
CUSTOMS = (
    "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c client_encoding=UTF8 "
    "-c statement_timeout=0"
)
MADE = re.compile(rb"^create table (?:if not exists )?(\w+)", re.MULTILINE | re.IGNORECASE)
OTHERS = re.compile(
    rb"^create (?:or replace )?(?:view|function|sequence) (\w+)", re.MULTILINE | re.IGNORECASE
)


class Table(NamedTuple):
    """A table of ours."""

    name: str
    columns: tuple[str, ...]


class Snapshot:
    """One moment of the database. It holds back neither writers nor the change feed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        row = session.execute(statement("backup.now")).fetchone()
        assert row is not None
        self.at: datetime = row["now"]
        self.server: str = row["server"]

    @property
    def migrations(self) -> tuple[int, ...]:
        """The schema's, in order."""
        rows = self._session.execute(statement("system.schema_versions")).fetchall()
        return tuple(sorted(row["version"] for row in rows))

    def partitions(self) -> tuple[BackupPartition, ...]:
        """Parts of our tables, each with the range that it is for."""
        rows = self._session.execute(statement("backup.partitions"), {"names": names()}).fetchall()
        return tuple(BackupPartition(**row) for row in rows)

    def sequences(self) -> dict[str, int]:
        """The last number of each sequence that stands alone: as it is now, which is never less."""
        query = statement("backup.sequences")
        rows = self._session.execute(query, {"names": other_names()}).fetchall()
        return {row["name"]: row["last"] for row in rows}

    def tables(self) -> list[Table]:
        """Ours, each after those that its foreign keys point to."""
        return tables(self._session)

    def rows(self, table: Table, counted: list[int]) -> Iterator[bytes]:
        """The rows in COPY's text format; their number is appended to `counted` at the end."""
        query = SQL("copy (select {} from {}) to stdout").format(
            SQL(", ").join(map(Identifier, table.columns)), Identifier(table.name)
        )
        with self._session.cursor() as cursor:
            with cursor.copy(query) as copy:
                for piece in copy:
                    yield bytes(piece)
            counted.append(cursor.rowcount)


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """The database at `url` as it is now. Raises: DatabaseUnavailable, SchemaMissing."""
    with (
        translated(),
        psycopg.connect(
            url,
            row_factory=dict_row,
            connect_timeout=5,
            application_name="casebook backup",
            options=CUSTOMS,
        ) as session,
    ):
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True
        yield Snapshot(session)


def names() -> list[str]:
    """The tables that the migrations of this release make, and the list of migrations."""
    found = {match.decode() for one in known() for match in MADE.findall(one.sql)}
    return ["schema_migrations", *sorted(found)]


def things(session: Session, kind: str) -> list[str]:
    """Views, functions or sequences of ours in this database, as DROP takes their names."""
    rows = session.execute(statement("backup.things"), {"names": other_names()}).fetchall()
    return [row["name"] for row in rows if row["kind"] == kind]


def other_names() -> list[str]:
    """What migrations of this release make beside tables and indexes."""
    return sorted({match.decode() for one in known() for match in OTHERS.findall(one.sql)})


def tables(session: Session) -> list[Table]:
    """Our tables in this database, each after those that its foreign keys point to."""
    rows = session.execute(statement("backup.tables"), {"names": names()}).fetchall()
    found = {row["name"]: Table(row["name"], tuple(row["columns"])) for row in rows}
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(found, ()))
    for row in session.execute(statement("backup.parents")).fetchall():
        order.add(row["child"], row["parent"])
    return [found[name] for name in order.static_order() if name in found]
