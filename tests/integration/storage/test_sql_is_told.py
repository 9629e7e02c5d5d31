"""What PostgreSQL is told of who asks, and what is kept of a statement that took long."""

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from contracts import operation
from storage import steps
from storage.postgres.explaining import without_content
from storage.postgres.statements import statement
from storage.postgres.store import Store
from storage.steps import Steps

OPERATION = "0af7651916cd43dd8448eb211c80319c"


def names(url: str) -> set[str]:
    """Who is connected, as an operator sees it."""
    with psycopg.connect(url) as session:
        sql = "select application_name from pg_stat_activity where datname = current_database()"
        return {name for (name,) in session.execute(sql)}


def test_an_open_transaction_names_its_operation_and_actor(store: Store, database_url: str) -> None:
    """An operator who sees a lock or a slow statement finds its story; afterwards it is gone."""
    operation.enter(OPERATION, actor="entries.create")
    with store.transaction() as tx:
        tx.row("feed.epoch")
        assert f"casebook {OPERATION} entries.create" in names(database_url)
    assert not [name for name in names(database_url) if OPERATION in name]
    operation.enter("")
    with store.transaction():
        assert "casebook" in names(database_url)


def test_the_servers_log_names_the_operation(store: Store, server_folder: Path) -> None:
    """Of a statement that failed: whose it was, and which."""
    found = uuid4().hex
    operation.enter(found, actor="effects.test")
    with pytest.raises(psycopg.Error), store.transaction() as tx:
        tx.run("effects.claim", key="k", operation="o", digest="no digest")
    log = (server_folder / "logs" / "postgres.log").read_text()
    told = [line for line in log.splitlines() if found in line]
    assert "effects.test" in told[0]
    assert [line for line in told if "STATEMENT:  /* casebook effects.claim */" in line]


@pytest.mark.parametrize(
    "hostile", ["x', true); drop table entries; --", "x*/ drop table entries", "ü\n'\\", "x" * 900]
)
def test_a_strangers_operation_id_is_no_sql(store: Store, database_url: str, hostile: str) -> None:
    """An id may come from any producer: it changes nothing but the name."""
    operation.enter(hostile, actor="entries.create")
    with store.transaction() as tx:
        assert tx.row("feed.epoch")
        (name,) = [one for one in names(database_url) if one.startswith("casebook ")]
        assert not set("'*\\;\n") & set(name)
        assert len(name) <= 63


def test_statements_are_prepared_once_for_all_operations(database_url: str) -> None:
    """A statement's text is the same for everyone, and begins with its name."""
    store = Store(database_url, most=1)
    store.open()
    for _ in range(12):
        operation.enter(uuid4().hex, actor="entries.get")
        with store.transaction() as tx:
            tx.row("entries.get", id=uuid4())
            found = tx.connection.execute(
                "select statement from pg_prepared_statements where statement like '/*%'"
            ).fetchall()
    store.close()
    texts = [row["statement"] for row in found]
    assert [one[:27] for one in texts if "entries.get " in one] == ["/* casebook entries.get */ "]
    assert not [one for one in texts if "application_name" in one]


def test_a_slow_statement_is_kept_with_its_plan_and_no_value(store: Store) -> None:
    """Kinds and sizes of its values, a plan of columns; looked up once a minute."""
    steps.watch(found := Steps(slow=0))
    secret = "a secret of somebody's"
    for _ in range(2):
        with store.transaction() as tx:
            tx.row("effects.first", key=secret)
    steps.watch(None)
    first, second = found.kept
    assert (first.kind, first.name, first.shape) == ("sql", "effects.first", {"key": "text of 22"})
    assert "Scan" in first.plan
    assert "'?'" in first.plan
    assert secret not in first.plan
    assert second.plan == ""


def test_what_writes_is_not_explained(store: Store) -> None:
    """It is kept, by itself; and takes effect once."""
    steps.watch(found := Steps(slow=0))
    with store.transaction() as tx:
        tx.run("effects.claim", key="k", operation="o", digest=uuid4())
    steps.watch(None)
    assert [(one.name, one.plan) for one in found.kept] == [("effects.claim", "")]
    with store.transaction() as tx:
        assert tx.row("effects.first", key="k")


def test_a_statement_that_failed_is_a_step_too(store: Store) -> None:
    """What was canceled for being slow is what somebody looks for."""
    steps.watch(found := Steps(slow=0))
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        tx.row("effects.first", key="k")
        raise ZeroDivisionError
    steps.watch(None)
    assert [one.name for one in found.kept] == ["effects.first"]
    assert found.kept[0].plan


def test_conditions_of_a_plan_hold_no_value() -> None:
    """Quoted ones everywhere, numbers where values stand; costs and columns stay."""
    plan = (
        "Index Scan using x on entries  (cost=0.28..8.30 rows=1 width=4)\n"
        "  Index Cond: (title = 'it''s\na secret'::text)\n"
        "  Filter: ((severity > 4711) AND (col2 = $1))"
    )
    assert without_content(plan) == (
        "Index Scan using x on entries  (cost=0.28..8.30 rows=1 width=4)\n"
        "  Index Cond: (title = '?'::text)\n"
        "  Filter: ((severity > ?) AND (col2 = $1))"
    )


def test_a_statements_name_is_in_front() -> None:
    """Also where it is put together of parts."""
    sql = statement("dead_letters.count", ("actor",))
    assert sql.startswith(b"/* casebook dead_letters.count */")
    assert sql.count(b"/*") == 1
