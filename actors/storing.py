"""How the rows of a chunk become entries: in one statement each, what is the same left alone."""

import orjson

from actors.screening import Policy, known, known_texts
from contracts.errors import DatabaseBusy
from contracts.imports import ImportMode
from storage.postgres.store import Row, Transaction

#: What a chunk stored that stored nothing.
NOTHING: Row = {"created": 0, "updated": 0, "txid": None, "seq": None}


def added(total: Row, done: Row) -> Row:
    """What both did; the position is that of the later one that changed something."""
    where = done if done["txid"] is not None else total
    return {
        "created": total["created"] + done["created"],
        "updated": total["updated"] + done["updated"],
        "txid": where["txid"],
        "seq": where["seq"],
    }


def store_rows(tx: Transaction, columns: list[Row], policy: Policy, by: str) -> Row:
    """Write the rows; `{created, updated, txid, seq}` of what changed."""
    total: Row = dict(NOTHING)
    for statement, rows in (
        ("imports.upsert", _changed(tx, columns, policy)),
        ("imports.insert_new", _new_texts(tx, columns, policy)),
    ):
        if rows:
            encoded = orjson.dumps(rows).decode()
            done = tx.row(statement, rows=encoded, source=policy.source, by=by)
            assert done is not None
            total = added(total, done)
    if policy.mode is ImportMode.CREATE and total["updated"]:
        # Stored by another since the rows were screened: looked at again, they are rejects.
        raise DatabaseBusy("Another import stores the same rows at this moment.")
    return total


def _changed(tx: Transaction, columns: list[Row], policy: Policy) -> list[Row]:
    """The rows with an id of their own that are new or different; old states are kept."""
    # Of rows that share an id the last one counts.
    rows = {row["external_id"]: row for row in columns if row["external_id"] is not None}
    if not rows:
        return []
    here = known(tx, list(rows), policy.source)
    same = {name for name, there in here.items() if there["digest"] == rows[name]["digest"]}
    if replaced := sorted(here.keys() - same):
        tx.run("imports.keep_versions", source=policy.source, external_ids=replaced)
    return [row for name, row in rows.items() if name not in same]


def _new_texts(tx: Transaction, columns: list[Row], policy: Policy) -> list[Row]:
    """The rows without an id whose text is not here yet, each text once."""
    rows = {row["text_digest"]: row for row in columns if row["external_id"] is None}
    known = known_texts(tx, list(rows), policy)
    return [row for text, row in rows.items() if text not in known]
