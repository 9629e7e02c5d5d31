"""How the rows of a chunk become entries: in one statement each, what is the same left alone."""

from collections.abc import Iterator

import orjson
from psycopg.errors import UniqueViolation

from actors.screening import Policy, known, known_texts
from contracts.errors import DatabaseBusy
from contracts.imports import ImportMode
from storage.postgres.store import Row, Transaction

#: What a chunk stored that stored nothing.
NOTHING: Row = {"created": 0, "updated": 0, "txid": None, "seq": None}

#: The types of what `imports.copy_new` takes; `custom` is encoded already.
COPIED = ("uuid", *["text"] * 7, "text[]", "bytea", "uuid", "uuid", "text", "text")
JSONB = b"\1"  # the version of its binary form, before the JSON itself


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
    """Write the rows; `{created, updated, txid, seq}` of what changed.

    Raises: DatabaseBusy where others store the same rows: what is here is to be looked up again.
    """
    total: Row = dict(NOTHING)
    new, different = _named(tx, columns, policy)
    if different:
        names = sorted(row["external_id"] for row in different)
        tx.run("imports.keep_versions", source=policy.source, external_ids=names)
    for statement, rows in (
        ("imports.upsert", different),
        ("imports.insert_new", _new_texts(tx, columns, policy)),
    ):
        if rows:
            encoded = orjson.dumps(rows).decode()
            done = tx.row(statement, rows=encoded, source=policy.source, by=by)
            assert done is not None
            total = added(total, done)
    if policy.mode is ImportMode.CREATE and total["updated"]:
        # Stored by another since the rows were screened: looked at again, they are rejects.
        raise _contended()
    return added(total, _copy_new(tx, new, policy.source, by)) if new else total


def _named(tx: Transaction, columns: list[Row], policy: Policy) -> tuple[list[Row], list[Row]]:
    """The rows with an id of their own that are new, and those that are different."""
    # Of rows that share an id the last one counts.
    rows = {row["external_id"]: row for row in columns if row["external_id"] is not None}
    here = known(tx, list(rows), policy.source)
    new = [row for name, row in rows.items() if name not in here]
    found = [row for name, row in rows.items() if name in here]
    return new, [row for row in found if here[row["external_id"]]["digest"] != row["digest"]]


def _copy_new(tx: Transaction, rows: list[Row], source: str, by: str) -> Row:
    # In one order everywhere: two imports that store the same rows wait for each other only once.
    rows.sort(key=lambda row: row["external_id"])
    try:
        tx.copy("imports.copy_new", COPIED, _copied(rows, source, by))
    except UniqueViolation:
        raise _contended() from None
    ids = ",".join(str(row["id"]) for row in rows)
    done = tx.row("imports.feed_new", ids=f"{{{ids}}}")
    assert done is not None
    return done


def _copied(rows: list[Row], source: str, by: str) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield (
            row["id"],
            source,
            row["external_id"],
            row["title"],
            row["problem"],
            row["solution"],
            row["category"],
            row["severity"],
            list(row["tags"]),
            JSONB + orjson.dumps(row["custom"]),
            row["digest"],
            row["text_digest"],
            by,
            by,
        )


def _contended() -> DatabaseBusy:
    return DatabaseBusy("Another import stores the same rows at this moment.")


def _new_texts(tx: Transaction, columns: list[Row], policy: Policy) -> list[Row]:
    """The rows without an id whose text is not here yet, each text once."""
    rows = {row["text_digest"]: row for row in columns if row["external_id"] is None}
    known = known_texts(tx, list(rows), policy)
    return [row for text, row in rows.items() if text not in known]
