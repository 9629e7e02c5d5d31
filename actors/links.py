"""What the rows of an import say of other entries of their source: kept as said, by name.

So a row may name one that comes later, in the same import or in another one.
"""

from itertools import groupby
from uuid import UUID

import orjson

from contracts.imports import NOTES_MAX
from contracts.links import ORDERED, circles
from storage.postgres.store import Row, Transaction


def state(tx: Transaction, import_id: UUID, source: str, columns: list[Row]) -> None:
    """Keep what these rows say, in the place of what was said of their entries before."""
    # Of rows that share an id the last one counts.
    said = {row["external_id"]: row["related"] for row in columns if row["external_id"] is not None}
    links = [{"from_name": name, **link} for name, related in said.items() for link in related]
    if links:
        encoded, names = orjson.dumps(links).decode(), sorted(said)
        tx.run("links.state", links=encoded, names=names, source=source, import_id=import_id)
    elif said and (tx.row("links.some", source=source) or {})["found"]:  # most sources have none
        tx.run("links.clear", names=sorted(said), source=source)


def notes(tx: Transaction, import_id: UUID) -> list[str]:
    """What is odd about an import's links: ends that are not here, and circles."""
    missing = tx.rows("links.dangling", id=import_id, limit=NOTES_MAX)
    found = [
        f"{row['file']}:{row['line']}: related to {row['to_name']}, which {_source(row['source'])} "
        "does not have; it is linked when it comes."
        for row in missing
    ]
    arrows = tx.rows("links.arrows", id=import_id, kinds=sorted(ORDERED))
    arrows.sort(key=lambda row: (row["source"], row["kind"]))
    for (source, kind), rows in groupby(arrows, key=lambda row: (row["source"], row["kind"])):
        for circle in circles((row["from_name"], row["to_name"]) for row in rows):
            way = " → ".join([*circle, circle[0]])
            found.append(f"A circular relation ({kind}) in {_source(source)}: {way}.")
    return found


def _source(name: str) -> str:
    return f"source {name}" if name else "this source"
