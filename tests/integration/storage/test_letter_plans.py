"""How PostgreSQL finds dead letters among many: by an index, in the order of the page."""

from typing import Any

import orjson
import pytest

from storage.postgres.statements import statement
from storage.postgres.store import Store

ROWS = 20_000  # enough that a scan and a sort would cost more

FILL = b"""
insert into dead_letters (
    id, message_id, queue, actor, body, readable, size, reason, error, message, attempts, report,
    deliveries, operation_id, first_failed_at, failed_at, replays, state
)
select
    gen_random_uuid(), n::text, 'q' || n %% 7, 'a' || n %% 11, 'body', true, 4, 'r' || n %% 5,
    'e' || n %% 13, 'message', '[]', '{}', 1, n::text, now(), now() - make_interval(secs => n), 0,
    case when n %% 10 = 0 then 'discarded' else 'dead' end
from generate_series(1, %s) as n
"""


@pytest.fixture(scope="module")
def filled(module_store: Store) -> Store:
    """A table of many letters that PostgreSQL knows the statistics of."""
    with module_store.transaction() as tx:
        tx.connection.execute(FILL, (ROWS,))
        tx.connection.execute("analyze dead_letters")
    return module_store


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node of a plan."""
    return [plan, *(one for child in plan.get("Plans", ()) for one in nodes(child))]


@pytest.mark.parametrize("condition", [None, "actor", "queue", "reason", "error"])
def test_a_page_is_read_from_an_index_in_its_order(filled: Store, condition: str | None) -> None:
    """No scan of the table and no sort; the index gives little more than the page."""
    names = ("state", condition) if condition else ("state",)
    value = {condition: f"{condition[0]}3"} if condition else {}
    explain = b"explain (analyze, format json) " + statement("dead_letters.page", names)
    with filled.transaction() as tx:
        cursor = tx.connection.execute(explain, {"state": "dead", "limit": 51, **value})
        row = cursor.fetchone()
    assert row is not None
    found = row["QUERY PLAN"]
    plan = (orjson.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    kinds = {node["Node Type"] for node in nodes(plan)}
    assert "Index Scan" in kinds
    assert not {"Seq Scan", "Sort", "Incremental Sort", "Bitmap Heap Scan"} & kinds, kinds
    read = sum(n["Actual Rows"] for n in nodes(plan) if n["Node Type"] == "Index Scan")
    assert read <= 51
    assert not any(n.get("Rows Removed by Filter") for n in nodes(plan))
