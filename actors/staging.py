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
    tx: Transaction,
    command: ImportChunk,
    taken: list[Candidate],
    refused: set[str],
    policy: Policy,
    *,
    unsure: bool,
) -> None:
    """Keep what the switch needs of a chunk: the content of rows that are new or different, names
    and links of the others. An entry whose row was `refused` is named too: it stays as it is.
    `unsure`, that a row was refused which names none, is kept as a row about nobody."""
    compared = compare(tx, (candidate.columns for candidate in taken), policy)
    rows: list[Row] = [*compared.new, *compared.different]
    rows += [{name: row[name] for name in KEYS} for row in compared.same]
    rows += [{"external_id": name} for name in sorted(refused)]
    rows += [{}] if unsure else []
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


def switch(tx: Transaction, command: FinishImport, by: str, source: str) -> list[str]:
    """Make the source hold what the stage holds, and note what that was as the chunk SWITCH.

    Where a rejected row may be about any entry, none is archived; a note for the report says so.
    The caller holds the import's row. Raises: ReplaceTooMuch.
    """
    found = tx.row("staging.missing", id=command.import_id, source=source)
    assert found is not None
    live, missing, unsure = found["live"], found["missing"], found["unsure"]
    if not unsure:
        refuse_too_much(source, live, missing, command.max_removed)
    place = {"id": command.import_id, "source": source}
    tx.run("staging.longest", longest=LONGEST)
    tx.run("staging.plan")
    tx.run("staging.plan_puts", **place)
    if not unsure:
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
    return kept_notes(missing) if unsure else []


def clear(store: Store, import_id: UUID) -> None:
    """Remove the stage of an import that is finished, in slices: a long one holds the feed back."""
    while True:
        with store.transaction() as tx:
            if not tx.run("staging.clear", id=import_id):
                return


def kept_notes(missing: int) -> list[str]:
    """What a report says where rows were rejected that name no entry."""
    if not missing:
        return []
    return [
        f"Rows were rejected that name no entry: so none was archived of the {missing} that have "
        "no row. Mend these rows and import the whole file again."
    ]


def refuse_too_much(source: str, live: int, missing: int, max_removed: float) -> None:
    """Raises: ReplaceTooMuch where more than `max_removed` percent of the entries have no row."""
    percent = 100 * missing / live if live else 0.0
    if percent > max_removed:
        raise ReplaceTooMuch(
            f"{missing} of the {live} entries of {source!r} ({percent:.1f} %) have no row in the "
            f"file, and at most {max_removed:g} % may be archived. Nothing was changed; "
            "if that is meant, say so with max-removed 100.",
            live=live,
            missing=missing,
            percent=round(percent, 1),
            max_removed=max_removed,
        )
