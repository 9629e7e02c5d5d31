"""A source replaced as a whole: its rows are staged, then take effect in one transaction.

Until the switch nothing but the stage has changed, so that a replace which is canceled, refused or
forgotten leaves the source as it was.
"""

from collections.abc import Iterable
from uuid import UUID

import orjson

from actors.screening import Candidate, Policy, compare
from contracts.errors import ReplaceTooMuch
from contracts.imports import FinishImport, ImportChunk
from storage.postgres.store import Row, Store, Transaction

SWITCH = -1  # the chunk that holds what the switch did: `imports undo` finds its changes by it
LONGEST = "9min"  # for one statement of a switch: below the time limit of `imports.finish`

CONTENT = ("id", "title", "problem", "solution", "category", "severity", "tags", "custom")
KEYS = ("external_id", "text_digest", "digest", "related")


def stage(
    tx: Transaction, command: ImportChunk, taken: list[Candidate], refused: set[str], policy: Policy
) -> None:
    """Keep what the switch needs of a chunk: the content of rows that are new or different, names
    and links of the others. An entry whose row was `refused` is named too: it stays as it is."""
    compared = compare(tx, (candidate.columns for candidate in taken), policy)
    rows: list[Row] = [*compared.new, *compared.different]
    rows += [{name: row[name] for name in KEYS} for row in compared.same]
    rows += [{"external_id": name} for name in sorted(refused)]
    if rows:
        tx.run(
            "staging.stage",
            import_id=command.import_id,
            chunk=command.chunk,
            rows=orjson.dumps(_placed(rows)).decode(),
        )


def _placed(rows: Iterable[Row]) -> list[Row]:
    return [{"place": place, **row} for place, row in enumerate(rows)]


def prepare(store: Store, import_id: UUID) -> None:
    """Leave one staged row of each entry, so that the switch has less to do. Harmless twice."""
    with store.transaction() as tx:
        tx.run("staging.drop_superseded", id=import_id)
        # It was filled a moment ago: without statistics a switch of many rows would nest loops.
        tx.run("staging.analyze")


def switch(tx: Transaction, command: FinishImport, by: str, source: str) -> None:
    """Make the source hold what the stage holds, and note what that was as the chunk SWITCH.

    The caller holds the import's row. Raises: ReplaceTooMuch.
    """
    _refuse_too_much(tx, command, source)
    place = {"id": command.import_id, "source": source}
    tx.run("staging.longest", longest=LONGEST)
    tx.run("staging.plan")
    tx.run("staging.plan_puts", **place)
    tx.run("staging.plan_archives", **place)
    tx.run("staging.analyze_plan")
    tx.run("staging.keep_versions")
    done = tx.row("staging.switch", by=by, **place)
    assert done is not None
    tx.run("links.switch", **place)
    changed = done["created"] + done["updated"]
    tx.run(
        "staging.note",
        id=command.import_id,
        chunk=SWITCH,
        created=done["created"],
        updated=done["updated"],
        unchanged=-changed,
        archived=done["archived"],
        txid=done["txid"],
        seq=done["seq"],
    )
    if changed or done["archived"]:
        tx.notify()


def clear(store: Store, import_id: UUID) -> None:
    """Remove the stage of an import that is finished, in slices: a long one holds the feed back."""
    while True:
        with store.transaction() as tx:
            if not tx.run("staging.clear", id=import_id):
                return


def _refuse_too_much(tx: Transaction, command: FinishImport, source: str) -> None:
    found = tx.row("staging.missing", id=command.import_id, source=source)
    assert found is not None
    live, missing = found["live"], found["missing"]
    percent = 100 * missing / live if live else 0.0
    if percent > command.max_removed:
        raise ReplaceTooMuch(
            f"{missing} of the {live} entries of {source!r} ({percent:.1f} %) have no row in the "
            f"file, and at most {command.max_removed:g} % may be archived. Nothing was changed; "
            "the import stays open. Resume it with max-removed 100 if that is meant.",
            live=live,
            missing=missing,
            percent=round(percent, 1),
            max_removed=command.max_removed,
        )
