"""How the rows of a chunk become entries: in one statement each, what is the same left alone."""

from collections.abc import Iterator
from typing import NamedTuple

import orjson
from psycopg.errors import UniqueViolation

from actors.screening import Policy, differs, known, known_texts
from contracts.errors import DatabaseBusy
from contracts.imports import ImportMode
from storage.postgres.store import Row, Transaction

#: What a chunk stored that stored nothing.
NOTHING: Row = {"created": 0, "updated": 0, "archived": 0, "txid": None, "seq": None}

#: The types of what `imports.copy_new` takes; `custom` is encoded already.
COPIED = ("uuid", *["text"] * 7, "text[]", "bytea", "uuid", "uuid", "text", "text")
JSONB = b"\1"  # the version of its binary form, before the JSON itself


class Found(NamedTuple):
    """Rows that are new and those that change an entry; how many are about one that someone has
    archived, and how many bring one back."""

    new: list[Row]
    different: list[Row]
    archived: int
    withdrawn: int


def added(total: Row, done: Row) -> Row:
    """What both did; the position is that of the later one that changed something."""
    where = done if done["txid"] is not None else total
    return {
        "created": total["created"] + done["created"],
        "updated": total["updated"] + done["updated"],
        "archived": total["archived"] + done.get("archived", 0),
        "txid": where["txid"],
        "seq": where["seq"],
    }


def store_rows(tx: Transaction, columns: list[Row], policy: Policy, by: str) -> Row:
    """Write the rows; `{created, updated, txid, seq}` of what changed, and how many of the rows are
    about entries that someone has `archived`: those stay so. What an undo or a replace archived is
    brought back.

    Raises: DatabaseBusy where others store the same rows: what is here is to be looked up again.
    """
    named, texts = _named(tx, columns, policy), _texts(tx, columns, policy)
    total: Row = NOTHING | {"archived": named.archived + texts.archived}
    if named.different:
        names = sorted(row["external_id"] for row in named.different)
        tx.run("imports.keep_versions", source=policy.source, external_ids=names)
    if texts.different:
        gone = [row["text_digest"] for row in texts.different]
        tx.run("imports.keep_withdrawn", text_digests=gone)
    for statement, rows in (
        ("imports.upsert", named.different),
        ("imports.insert_new", texts.new + texts.different),
    ):
        if rows:
            encoded = orjson.dumps(rows).decode()
            done = tx.row(statement, rows=encoded, source=policy.source, by=by)
            assert done is not None
            total = added(total, done)
    back = named.withdrawn + texts.withdrawn
    if policy.mode is ImportMode.CREATE and total["updated"] > back:
        # Stored by another since the rows were screened: looked at again, they are rejects.
        raise _contended()
    if named.new:
        return added(total, _copy_new(tx, named.new, policy.source, by))
    return total


def _named(tx: Transaction, columns: list[Row], policy: Policy) -> Found:
    """What the rows with an id of their own are, each entry once."""
    # Of rows that share an id the last one counts.
    rows = {row["external_id"]: row for row in columns if row["external_id"] is not None}
    here = known(tx, list(rows), policy.source)
    return Found(
        new=[row for name, row in rows.items() if name not in here],
        different=[row for name, row in rows.items() if name in here and differs(row, here[name])],
        archived=sum(there["archived"] and not there["withdrawn"] for there in here.values()),
        withdrawn=sum(there["withdrawn"] for there in here.values()),
    )


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


def _texts(tx: Transaction, columns: list[Row], policy: Policy) -> Found:
    """What the rows without an id are, each text once."""
    rows = {row["text_digest"]: row for row in columns if row["external_id"] is None}
    held = known_texts(tx, list(rows), policy)
    stored = held.texts | held.withdrawn
    return Found(
        new=[row for text, row in rows.items() if text not in stored],
        different=[rows[text] for text in held.withdrawn],
        archived=len(held.archived),
        withdrawn=len(held.withdrawn),
    )
