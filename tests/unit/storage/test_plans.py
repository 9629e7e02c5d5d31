"""What `migrate --plan` reads out of a migration's SQL."""

import pytest

from storage.postgres.migrations import known
from storage.postgres.plans import (
    BREAKS,
    BUILT,
    CHECKED,
    INSTANT,
    REWRITTEN,
    ROWS,
    UNKNOWN,
    Wait,
    waits,
)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("alter table t add column a text", INSTANT),
        ("alter table t\n  add column a int not null default 0,\n  add column b text", INSTANT),
        ("alter table t add column a text check (a in ('x', 'y; z'))", CHECKED),
        ("alter table t add constraint c check (a > 0) not valid", INSTANT),
        ("alter table t add column a uuid references other (id)", CHECKED),
        ("alter table t add column a uuid default gen_random_uuid()", REWRITTEN),
        ("alter table t alter column a type bigint", REWRITTEN),
        ("alter table t rename column a to b", BREAKS),
        ("alter table t drop column a", BREAKS),
        ("alter table t alter column a set not null", BREAKS),
        ("drop table t", BREAKS),
        ("create unique index i on t (a) where b is null", BUILT),
        ("update t set a = 1; -- of; them", ROWS),
    ],
)
def test_each_statement_has_its_price(sql: str, why: str) -> None:
    """As PostgreSQL's documentation has it; comments and quotes are no statements."""
    assert waits(f"-- alter table x;\n{sql};\n", set()) == (Wait("t", why),)


def test_nobody_waits_for_a_table_that_is_new() -> None:
    """Its indexes and columns cost nobody anything, in later migrations as well."""
    new: set[str] = set()
    assert waits("create table t (a int); create index i on t (a);", new) == ()
    assert waits("alter table t add column b int check (b > 0);", new) == ()
    assert waits("vacuum", new) == (Wait("?", f"{UNKNOWN}: vacuum"),)
    assert waits("drop table other") == ()


def test_the_previous_release_can_go_on_through_every_migration() -> None:
    """Expand first; what nobody uses any more is taken away a release later, and said here."""
    new: set[str] = set()
    for migration in known():
        found = waits(migration.sql.decode(), new if migration.version == 1 else set())
        assert not [one for one in found if one.why == BREAKS or UNKNOWN in one.why], migration
