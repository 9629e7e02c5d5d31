"""How PostgreSQL finds entries among many: by an index, however many there are."""

from uuid import UUID

import pytest

from storage.postgres.statements import statement
from storage.postgres.store import Store
from tests.integration.storage.test_letter_plans import nodes

ROWS = 20_000  # enough that a scan would cost more

FILL = b"""
insert into entries (
    id, source, external_id, title, problem, solution, category, severity, tags, custom, digest,
    text_digest, created_by, updated_by
)
select
    gen_random_uuid(), 's', case when n %% 2 = 0 then n::text end, 'title', 'problem', '', 'c',
    'low', '{}', '{}', gen_random_uuid(), gen_random_uuid(), '', ''
from generate_series(1, %s) as n
"""

NOBODY = UUID(int=0)
ASKED = {
    "entries.holder_of_text": {"text_digest": NOBODY, "except": NOBODY},
    "entries.get": {"id": NOBODY},
    "entries.get_many": {"ids": [NOBODY]},
    "imports.known": {"source": "s", "external_ids": ["1"], "ids": [NOBODY]},
    "imports.known_texts": {"text_digests": [NOBODY]},
    "imports.known_own_texts": {"text_digests": [NOBODY]},
}


@pytest.fixture(scope="module")
def filled(module_store: Store) -> Store:
    """A table of many entries that PostgreSQL knows the statistics of."""
    with module_store.transaction() as tx:
        tx.connection.execute(FILL, (ROWS,))
        tx.connection.execute("analyze entries")
    return module_store


@pytest.mark.parametrize("name", ASKED)
def test_entries_are_not_scanned(filled: Store, name: str) -> None:
    """Every write asks some of these: a scan would make each slower than the one before."""
    with filled.transaction() as tx:
        cursor = tx.connection.execute(b"explain (format json) " + statement(name), ASKED[name])
        row = cursor.fetchone()
    assert row is not None
    scanned = [
        node["Node Type"]
        for node in nodes(row["QUERY PLAN"][0]["Plan"])
        if node.get("Relation Name") == "entries"
    ]
    assert scanned
    assert "Seq Scan" not in scanned
