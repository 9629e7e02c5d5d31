"""What a migration will make others wait for, told from its SQL before it runs."""

import re
from typing import NamedTuple

from storage.postgres.migrations import Migration, Session, alone, pending
from storage.postgres.statements import statement

COMMENT = re.compile(r"--[^\n]*")
STATEMENT = re.compile(r"(?:\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|[^;])+", re.DOTALL)
MADE = re.compile(r"create table (?:if not exists )?(\w+)", re.IGNORECASE)
FREE = re.compile(r"create (?:or replace )?(?:view|function|sequence) \w+", re.IGNORECASE)

INSTANT = "everyone who uses it waits for an instant"
CHECKED = "everyone who uses it waits while each row is checked"
REWRITTEN = "everyone who uses it waits while each row is written anew"
BUILT = "who writes to it waits while the index is built"
ROWS = "its rows are changed; who changes the same ones waits"
BREAKS = "the previous release can't go on"
UNKNOWN = "not foreseen: read it"

#: The first that fits counts; PostgreSQL's documentation of ALTER TABLE says which lock is whose.
RULES: tuple[tuple[str, str], ...] = (
    (r"alter table (?:if exists )?(\w+)\b.*\b(?:drop column|drop constraint|rename)\b", BREAKS),
    (r"alter table (?:if exists )?(\w+)\b.*\bset not null\b", BREAKS),
    (r"drop table (?:if exists )?(\w+)", BREAKS),
    (r"alter table (?:if exists )?(\w+)\b.*\balter column \w+ (?:set data )?type\b", REWRITTEN),
    (r"alter table (?:if exists )?(\w+)\b.*\bnot valid\b", INSTANT),
    (r"alter table (?:if exists )?(\w+)\b.*\b(?:generated always as \(|default \w+\()", REWRITTEN),
    (r"alter table (?:if exists )?(\w+)\b.*\b(?:check|references|unique|primary key)\b", CHECKED),
    (r"alter table (?:if exists )?(\w+)\b", INSTANT),
    (r"create (?:unique )?index (?:if not exists )?\w+\s+on (\w+)", BUILT),
    (r"drop index (?:if exists )?(\w+)", INSTANT),
    (r"insert into (\w+)", ROWS),
    (r"update (\w+)", ROWS),
    (r"delete from (\w+)", ROWS),
)


class Wait(NamedTuple):
    """One statement on a table that is there already."""

    table: str
    why: str


class Planned(NamedTuple):
    """A migration that is to be applied, and on which tables of what size others will wait."""

    migration: Migration
    waits: tuple[Wait, ...]
    rows: dict[str, int]
    bytes: dict[str, int]


def plan(url: str) -> list[Planned]:
    """What `migrate` would do now; changes nothing. Raises: DatabaseUnavailable."""
    with alone(url) as session:
        sizes = _sizes(session)
        planned, new = [], set[str]()
        for migration in pending(session):
            found = waits(migration.sql.decode(), new if sizes else None)
            known = {one.table for one in found} & set(sizes)
            rows = {table: sizes[table][0] for table in sorted(known)}
            total = {table: sizes[table][1] for table in sorted(known)}
            planned.append(Planned(migration, found, rows, total))
        return planned


def waits(sql: str, new: set[str] | None = None) -> tuple[Wait, ...]:
    """What others will wait for. Tables that the SQL makes are added to `new`: nobody knows them.

    With None, there are no others: the database is empty.
    """
    text = COMMENT.sub("", sql)
    if new is None:
        return ()
    new |= {name.lower() for name in MADE.findall(text)}
    found = [_wait(" ".join(match[0].split())) for match in STATEMENT.finditer(text)]
    return tuple(dict.fromkeys(one for one in found if one and one.table not in new))


def _wait(sql: str) -> Wait | None:
    if not sql or MADE.match(sql) or FREE.match(sql):
        return None
    for pattern, why in RULES:
        if match := re.match(pattern, sql, re.IGNORECASE):
            return Wait(match[1].lower(), why)
    return Wait("?", f"{UNKNOWN}: {sql[:60]}")


def _sizes(session: Session) -> dict[str, tuple[int, int]]:
    """Rows, as PostgreSQL estimates them, and bytes of each table."""
    rows = session.execute(statement("system.sizes")).fetchall()
    return {row["name"]: (row["rows"], row["bytes"]) for row in rows}
