"""What becomes of a row: stored, refused, or here already."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import orjson

from contracts.imports import REJECT_ROW_BYTES, Duplicates, ImportMode, ImportRow, Reject
from storage.postgres.store import Row, Transaction

#: An entry's own id, as an export writes it where there is no other.
OWN_ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Candidate(NamedTuple):
    """A valid row as it was read, and as columns of `entries`."""

    row: ImportRow
    columns: Row


class Policy(NamedTuple):
    """What an import does with rows that are here; kept with it."""

    source: str
    mode: ImportMode = ImportMode.UPSERT
    duplicates: Duplicates = Duplicates.AUTO

    @property
    def compares_texts(self) -> bool:
        """Whether no two entries that it stores may have one text."""
        return self.duplicates in (Duplicates.SKIP, Duplicates.REJECT)


class Held(NamedTuple):
    """Texts that a row without an id of its own is not stored for again; of these, those that only
    archived entries hold; and texts of entries that such a row brings back."""

    texts: set[UUID]
    archived: set[UUID]
    withdrawn: set[UUID]


class Compared(NamedTuple):
    """Columns of rows, each entry once: of rows about one entry the last counts."""

    new: list[Row]
    different: list[Row]
    same: list[Row]


def screen(
    tx: Transaction, candidates: list[Candidate], policy: Policy, import_id: UUID | None = None
) -> tuple[list[Candidate], list[Reject]]:
    """The candidates that the policy takes, in order, and rejects for those it refuses.

    The others are here already. `import_id` is that of an import whose stage is looked at too.
    """
    rejects: list[Reject] = []
    if policy.mode is ImportMode.CREATE:
        candidates, found = _only_new(tx, candidates, policy.source)
        rejects += found
    if policy.compares_texts:
        candidates, found = _without_duplicates(tx, candidates, policy, import_id)
        rejects += found
    return candidates, rejects


def compare(tx: Transaction, columns: Iterable[Row], policy: Policy) -> Compared:
    """What of these rows is new, different, or here already."""
    rows = list(columns)
    named = {row["external_id"]: row for row in rows if row["external_id"] is not None}
    texts = {row["text_digest"]: row for row in rows if row["external_id"] is None}
    here = known(tx, list(named), policy.source)
    held = known_texts(tx, list(texts), policy)
    new = [row for name, row in named.items() if name not in here]
    found = [(row, differs(row, here[name])) for name, row in named.items() if name in here]
    stored = held.texts | held.withdrawn
    return Compared(
        new=new + [row for text, row in texts.items() if text not in stored],
        different=[row for row, other in found if other] + [texts[text] for text in held.withdrawn],
        same=[row for row, other in found if not other] + [texts[text] for text in held.texts],
    )


def differs(row: Row, there: Row) -> bool:
    """Whether the entry that is there becomes another by this row, or is brought back by it."""
    return bool(there["digest"] != row["digest"] or there["withdrawn"])


def reject(row: ImportRow, code: str, message: str, field: str = "") -> Reject:
    """The reject of a row, with its beginning."""
    text = orjson.dumps(row.data).decode()[:REJECT_ROW_BYTES]
    return Reject(
        file=row.file,
        line=row.line,
        field=field,
        code=code,
        message=message,
        row=text.replace("\0", "\\u0000"),
    )


def _only_new(
    tx: Transaction, candidates: list[Candidate], source: str
) -> tuple[list[Candidate], list[Reject]]:
    """Without those whose entry is here with other content."""
    names = [c.columns["external_id"] for c in candidates if c.columns["external_id"] is not None]
    found = known(tx, names, source)
    here = {name: there for name, there in found.items() if not there["withdrawn"]}
    # Of rows of one chunk that share an id the first is created; another one is a row too many.
    mine: dict[str, Row] = {}
    kept, rejects = [], []
    for candidate in candidates:
        name = candidate.columns["external_id"]
        there = here.get(name) or mine.get(name)
        if there is not None and there["digest"] != candidate.columns["digest"]:
            what = f"Entry {there['id']}" if name in here else "An earlier row"
            message = f"{what} has this id, with other content."
            rejects.append(reject(candidate.row, "ENTRY_EXISTS", message, "external_id"))
            continue
        if name is not None:
            mine.setdefault(name, candidate.columns)
        kept.append(candidate)
    return kept, rejects


def known(tx: Transaction, names: list[str], source: str) -> dict[str, Row]:
    """What is here already of these external ids: `{external_id, digest, id, archived, withdrawn}`
    by that."""
    if not names:
        return {}
    rows = tx.rows("imports.known", source=source, external_ids=names, ids=_own_ids(names))
    return {row["external_id"]: row for row in rows}


def adopt(tx: Transaction, candidates: list[Candidate], source: str) -> None:
    """An exported entry that had no external id went out under its own id: it has that from now on,
    so that its row finds it."""
    names = [candidate.columns["external_id"] for candidate in candidates]
    if ids := _own_ids(names):
        tx.run("imports.adopt", ids=ids, source=source)


def _own_ids(names: Iterable[str | None]) -> list[UUID]:
    """Those of the names that may be an entry's own id."""
    return [UUID(name) for name in names if name is not None and OWN_ID.fullmatch(name)]


def known_texts(tx: Transaction, digests: list[UUID], policy: Policy) -> Held:
    """What is here of these texts of rows without an id of their own.

    Where duplicates are kept, only what entries without such an id hold: two can't.
    """
    if not digests:
        return Held(set(), set(), set())
    keep = policy.duplicates is Duplicates.KEEP
    statement = "imports.known_own_texts" if keep else "imports.known_texts"
    rows = tx.rows(statement, text_digests=digests)
    held = {row["text_digest"] for row in rows if not row["withdrawn"]}
    live = {row["text_digest"] for row in rows if not row["archived"]}
    return Held(held, held - live, {row["text_digest"] for row in rows} - held)


def _without_duplicates(
    tx: Transaction, candidates: list[Candidate], policy: Policy, import_id: UUID | None
) -> tuple[list[Candidate], list[Reject]]:
    """Without those whose text another entry holds, or an earlier row; rejects if so asked."""
    holders = _holders(tx, candidates, policy, import_id)
    mine: dict[UUID, str | None] = {}
    kept, rejects = [], []
    for candidate in candidates:
        name, text = candidate.columns["external_id"], candidate.columns["text_digest"]
        other = _other(holders.get(text, []), name, policy)
        earlier = text in mine and (name is None or mine[text] != name)
        if other is None and not earlier:
            mine.setdefault(text, name)
            kept.append(candidate)
        elif policy.duplicates is Duplicates.REJECT:
            held = f"Entry {other['id']}" if other and other["id"] else "An earlier row"
            message = f"{held} holds the same text."
            rejects.append(reject(candidate.row, "DUPLICATE_ENTRY", message))
    return kept, rejects


def _holders(
    tx: Transaction, candidates: list[Candidate], policy: Policy, import_id: UUID | None
) -> dict[UUID, list[Row]]:
    """By text: entries that hold it, and rows that are staged to. What a replace finds in its own
    source is no other entry: its row is in the file, or it goes."""
    if not candidates:
        return {}
    texts = [candidate.columns["text_digest"] for candidate in candidates]
    found = tx.rows("imports.holders", text_digests=texts)
    if policy.mode is ImportMode.REPLACE:
        found = [row for row in found if row["source"] != policy.source]
        found += tx.rows("staging.holders", import_id=import_id, text_digests=texts)
    holders: dict[UUID, list[Row]] = {}
    for row in found:
        holders.setdefault(row["text_digest"], []).append(row)
    return holders


def _other(holders: list[Row], name: str | None, policy: Policy) -> Row | None:
    """The other entry that holds a row's text; None where the row's own holds it already."""
    own = (name, policy.source)
    if name is not None and any((row["external_id"], row["source"]) == own for row in holders):
        return None
    return next(iter(holders), None)
