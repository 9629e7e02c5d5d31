"""Rows of a source as entries: validated, or rejects with the reason."""

from bisect import insort
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from actors.screening import Candidate, Policy, reject
from contracts.base import field_errors, new_id
from contracts.entries import BODY_MAX, TAG_MAX, TAGS_MAX, TITLE_MAX
from contracts.imports import CheckChunk, ImportChunk, ImportedEntry, ImportRow, OnLong, Reject
from contracts.mappings import FIELDS
from storage.postgres.digests import digest, text_digest
from storage.postgres.store import Row, Transaction

Valid = tuple[ImportRow, ImportedEntry]

UNKNOWN = "EXTRA_FORBIDDEN"  # how Pydantic calls a field that a model does not have
NEAR = 0.75  # from 0 to 1: what two names have in common where one is meant for the other


def validate(
    command: ImportChunk | CheckChunk,
) -> tuple[list[Valid], list[Reject]]:
    """The good rows, in order, and the rejects: the client's and ours."""
    good, rejects = [], list(command.rejects)
    for row in command.rows:
        data = {name: value for name, value in row.data.items() if value is not None}
        if command.on_long is OnLong.TRUNCATE:
            truncate(data)
        try:
            good.append((row, ImportedEntry.model_validate(data)))
        except ValidationError as error:
            rejects.append(_reject(row, error))
    return good, rejects


def in_order(rejects: list[Reject], command: ImportChunk | CheckChunk) -> list[Reject]:
    """The rejects by file and line. A file of which no row came stands by its name."""
    if len(rejects) < 2:
        return rejects
    files = list(dict.fromkeys(row.file for row in command.rows))
    for file in dict.fromkeys(one.file for one in rejects):
        if file not in files:
            insort(files, file)
    places = {file: place for place, file in enumerate(files)}
    return sorted(rejects, key=lambda one: (places[one.file], one.line))


def truncate(data: dict[str, Any]) -> None:
    """Make a row fit the limits: what a title has too much of opens the problem text."""
    title = data.get("title")
    if isinstance(title, str) and len(title.strip()) > TITLE_MAX:
        title = title.strip()
        cut = title.rfind(" ", TITLE_MAX // 2, TITLE_MAX)
        cut = TITLE_MAX if cut < 0 else cut
        data["title"] = title[:cut]
        data["problem"] = f"{title[cut:].strip()}\n\n{data.get('problem') or ''}".strip()
    for name in ("problem", "solution"):
        if isinstance(data.get(name), str):
            data[name] = data[name][:BODY_MAX]
    if isinstance(data.get("tags"), list):
        data["tags"] = [
            tag[:TAG_MAX] if isinstance(tag, str) else tag for tag in data["tags"][:TAGS_MAX]
        ]


def _reject(row: ImportRow, error: ValidationError) -> Reject:
    """A field that entries don't have comes first: for its sake another one is missing."""
    errors = field_errors(error.errors(include_url=False, include_context=False))
    first, *others = sorted(errors, key=lambda one: one["code"] != UNKNOWN)
    message = first["message"]
    if first["code"] == UNKNOWN and first["field"] in row.data:
        message = f"entries have no such field{_meant(first['field'])}"
    if others:
        message += f" (and {len(others)} more error{'s' * (len(others) > 1)})"
    return reject(row, first["code"], message, first["field"])


@lru_cache(1000)
def _meant(field: str) -> str:
    near = get_close_matches(field.strip().lower(), FIELDS, 1, NEAR)
    return f"; {near[0]} is one" if near else ""


def by_source(
    candidates: list[Candidate], policy: Policy
) -> Iterator[tuple[Policy, list[Candidate]]]:
    """The rows of each source, which the import says or else they themselves."""
    if policy.source:
        yield policy, candidates
        return
    for source in sorted({candidate.columns["source"] for candidate in candidates}):
        own = [candidate for candidate in candidates if candidate.columns["source"] == source]
        yield policy._replace(source=source), own


def candidates_of(good: list[Valid], entries: list[ImportedEntry]) -> list[Candidate]:
    return [
        Candidate(row, _columns(row, entry)) for (row, _), entry in zip(good, entries, strict=True)
    ]


def canonical(tx: Transaction, good: list[Valid], *, ensure: bool = True) -> list[ImportedEntry]:
    """The entries with their categories in the spelling that was first given."""
    entries = [entry for _, entry in good]
    names = sorted({entry.category for entry in entries})
    if not names:
        return entries
    if ensure:
        tx.run("entries.ensure_categories", names=names)
    rows = tx.rows("entries.category_names", names=names)
    spelling = {row["key"]: row["name"] for row in rows}
    return [
        entry
        if (name := spelling.get(entry.category.lower(), entry.category)) == entry.category
        else entry.model_copy(update={"category": name})
        for entry in entries
    ]


def _columns(row: ImportRow, entry: ImportedEntry) -> Row:
    return {
        "id": new_id(),
        "source": entry.source,
        "external_id": entry.external_id,
        "title": entry.title,
        "problem": entry.problem,
        "solution": entry.solution,
        "category": entry.category,
        "severity": entry.severity,
        "tags": entry.tags,
        "custom": entry.custom,
        "digest": digest(entry),
        "text_digest": text_digest(entry),
        "related": [
            {**link.model_dump(), "file": row.file, "line": row.line} for link in entry.related
        ],
    }
