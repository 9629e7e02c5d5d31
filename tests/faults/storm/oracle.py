"""Holds what is stored against what was promised, reading PostgreSQL directly."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.storm.house import House
from tests.faults.storm.journal import Round
from tests.faults.storm.ledger import Ledger
from tests.faults.storm.visitor import VISITOR

SHOWN = 5  # differences of one kind that are told
ENTRIES = "select id::text, title, problem, version, source, external_id from entries"
VERSIONS = "select entry_id::text as id, count(*) as n from entry_versions group by entry_id"
CHANGES = "select entry_id::text as id, count(*) as n from changes group by entry_id"
EFFECTS = "select key, operation, reply is null as unanswered from effects"
IMPORTS = """
select i.id::text, i.source, i.finished_at is not null as finished, i.chunks,
    count(c.chunk) as stored,
    coalesce(sum(c.received), 0) as received, coalesce(sum(c.created), 0) as created,
    coalesce(sum(c.updated), 0) as updated, coalesce(sum(c.unchanged), 0) as unchanged,
    coalesce(sum(c.rejected), 0) as rejected
from imports as i left join import_chunks as c on c.import_id = i.id group by i.id
"""
COUNTS = ("received", "created", "updated", "unchanged", "rejected")


class Stored:
    """What PostgreSQL holds, read while nothing changes."""

    def __init__(self, house: House) -> None:
        with psycopg.connect(house.postgres.url, row_factory=dict_row) as session:
            self.entries = session.execute(ENTRIES).fetchall()
            self.versions = _counts(session.execute(VERSIONS).fetchall())
            self.changes = _counts(session.execute(CHANGES).fetchall())
            self.effects = session.execute(EFFECTS).fetchall()
            self.imports = session.execute(IMPORTS).fetchall()


def compare(stored: Stored, ledger: Ledger, round_: Round) -> None:
    """Write every difference into the round."""
    _tell(round_.losses, "lost", _lost(stored, ledger))
    _tell(round_.doubles, "doubled", _doubled(stored, ledger))
    _tell(round_.others, "not as promised", _other(stored, ledger))
    _tell(round_.others, "import", _imports(stored, ledger))


def _lost(stored: Stored, ledger: Ledger) -> Iterator[str]:
    titles = {row["title"]: row for row in stored.entries}
    for title, kept in ledger.entries.items():
        row = titles.get(title)
        if row is None and not kept.deleted:
            yield f"entry {title!r} ({kept.entry_id}) is not there"
        elif row is not None and row["version"] < 1 + len(kept.texts):
            yield f"entry {title!r} has version {row['version']} after {len(kept.texts)} updates"
    for title in ledger.promised:
        if title not in titles:
            yield f"entry {title!r} was taken into the queue and is not there"
    rows = {(row["source"], row["external_id"]): row for row in stored.entries}
    for name, promised in ledger.rows.items():
        row = rows.get(name)
        if row is None or row["version"] < promised.version:
            yield f"row {name}: {row and row['version']}, not {promised.version}"
    known = {row["key"] for row in stored.effects}
    for key in ledger.keys - known:
        yield f"the effect of key {key}"


def _doubled(stored: Stored, ledger: Ledger) -> Iterator[str]:
    for title, count in Counter(
        row["title"] for row in stored.entries if row["external_id"] is None
    ).items():
        if count > 1:
            yield f"{count} entries are called {title!r}"
    for row in stored.entries:
        promised = _versions(row, ledger)
        if promised is None:
            continue
        if row["version"] > promised:
            yield f"{row['title']!r} has version {row['version']}, not {promised}"
        if stored.versions[row["id"]] != row["version"] - 1:
            yield f"{row['title']!r} keeps {stored.versions[row['id']]} versions before its last"
        if stored.changes[row["id"]] != row["version"]:
            yield f"{row['title']!r} is {stored.changes[row['id']]} times in the feed"


def _versions(row: Any, ledger: Ledger) -> int | None:
    if row["external_id"] is not None:
        kept_row = ledger.rows.get((row["source"], row["external_id"]))
        return kept_row.version if kept_row else None
    if row["title"] in ledger.promised | ledger.perhaps:
        return 1
    kept = ledger.entries.get(row["title"])
    return 1 + len(kept.texts) if kept else None


def _other(stored: Stored, ledger: Ledger) -> Iterator[str]:
    for row in stored.entries:
        title, text = row["title"], row["problem"]
        if row["external_id"] is not None:
            name = (row["source"], row["external_id"])
            promised = ledger.rows.get(name)
            if promised is None or promised.text != text:
                yield f"row {name} holds {text!r}, not {promised and promised.text!r}"
            continue
        kept = ledger.entries.get(title)
        if title in ledger.refused or text in ledger.refused:
            yield f"{title!r} was refused and is there"
        elif kept is None and title not in ledger.promised | ledger.perhaps:
            yield f"{title!r} was never acknowledged and is there"
        elif kept is not None and kept.deleted:
            yield f"{title!r} was deleted and is there"
        elif kept is not None and kept.entry_id != row["id"]:
            yield f"{title!r} is {row['id']}, acknowledged was {kept.entry_id}"
        elif kept is not None and kept.texts and kept.texts[-1] != text:
            yield f"{title!r} holds {text!r}, not {kept.texts[-1]!r}"
    for effect in stored.effects:
        if effect["unanswered"]:
            yield f"the effect of key {effect['key']} has no reply"


def _imports(stored: Stored, ledger: Ledger) -> Iterator[str]:
    found = {row["id"]: row for row in stored.imports}
    for import_id, promised in ledger.imports.items():
        row = found.pop(import_id, None)
        if row is None or not row["finished"] or row["chunks"] != row["stored"]:
            yield f"{import_id} is not complete: {row}"
        elif any(row[name] != promised[name] for name in COUNTS):
            yield f"{import_id} counts {row}, not {promised}"
    for row in found.values():
        if not row["source"].startswith(VISITOR):  # those of clients that were killed
            yield f"{row['id']} was asked for by nobody: {row}"


def _counts(rows: list[Any]) -> Counter[str]:
    return Counter({row["id"]: row["n"] for row in rows})


def _tell(place: list[str], what: str, found: Iterator[str]) -> None:
    differences = list(found)
    place += [f"{what}: {one}" for one in differences[:SHOWN]]
    if len(differences) > SHOWN:
        place.append(f"{what}: and {len(differences) - SHOWN} more")
