"""Entries of an undo taken back together: in a few statements, however many they are."""

from uuid import UUID

from contracts.bulk import ChangeSelected
from contracts.entries import EntryFields, KeptFields
from storage.postgres.digests import digest, text_digest
from storage.postgres.store import Row, Transaction


def undo_many(command: ChangeSelected, tx: Transaction, rows: list[Row]) -> dict[UUID, str | None]:
    """Take back an import's changes of those entries of a selection that are as it left them.

    By entry the position in the feed, None where nothing had to be changed; each that changes has
    one new version. An entry that is not in it is for `change_one`: it was changed since, is gone,
    or its text may be another's by now.
    """
    found = tx.rows(
        "bulk.lock_to_undo",
        ids=[row["entry_id"] for row in rows],
        firsts=[row["first"] for row in rows],
        lasts=[row["last"] for row in rows],
    )
    plain = [row for row in found if row["is_plain"]]
    created = [row["id"] for row in plain if row["created"] and not row["archived"]]
    changed = [row for row in map(_as_before, plain) if row is not None]
    tx.run("entries.keep_versions", ids=created + [row["id"] for row in changed])
    fed = []
    if created:
        fed += tx.rows("bulk.withdraw", ids=created, by=command.by)
    if changed:
        columns = {f"{name}s": [row[name] for row in changed] for name in changed[0]}
        fed += tx.rows("bulk.set_back", by=command.by, **columns)
    if fed:
        tx.notify()
    positions = {row["entry_id"]: str(tx.position(row["txid"], row["seq"])) for row in fed}
    return {row["id"]: positions.get(row["id"]) for row in plain}


def _as_before(row: Row) -> Row | None:
    """What `bulk.set_back` takes of an entry; None where it is as it was before already."""
    if row["created"]:
        return None
    before = KeptFields(**{name: row[name] for name in EntryFields.model_fields})
    then = digest(before)
    if then == row["digest"] and row["was_archived"] == row["archived"]:
        return None
    return {
        "id": row["id"],
        "version": row["first"] - 1,
        "digest": then,
        "text_digest": text_digest(before),
    }
