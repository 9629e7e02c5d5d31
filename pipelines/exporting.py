"""Every entry that passes a filter, page by page, in a form that the importer reads again."""

from collections.abc import AsyncIterator
from typing import Any

import orjson

from actors import entries
from actors.broker.client import Client
from contracts.entries import Entry, EntryPage, ListEntries
from contracts.imports import ExportedEntry, ImportedEntry
from contracts.links import LINKS_MAX, Link
from pipelines.ask import ask_for

PAGE = 200  # entries: with bodies at their limits a page may still pass a reply's size
TIMEOUT = 30.0  # seconds for one page

EXTERNAL_ID, RELATED = "external_id", "related"
AS_JSON = ("custom", RELATED)  # in the cells of a CSV


async def export_entries(client: Client, wanted: ListEntries) -> AsyncIterator[Entry]:
    """The entries that `wanted` describes, oldest first, read while others write.

    Entries made or removed meanwhile may be in it or not; each is in it at most once.
    """
    cursor = None
    while True:
        request = wanted.model_copy(update={"cursor": cursor, "limit": PAGE, "order": "oldest"})
        page = await ask_for(EntryPage, client, entries.list_page, request, timeout=TIMEOUT)
        for entry in page.entries:
            yield entry
        cursor = page.next_cursor
        if cursor is None:
            return


def importable(entry: Entry) -> ImportedEntry:
    """What the importer reads of an entry; one without an external id gets its own id as such.

    A relation to an entry of another source has no name there, and is left out.
    """
    fields = {name: getattr(entry, name) for name in ImportedEntry.model_fields if name != RELATED}
    near = [far for far in entry.relations if far.source == entry.source][:LINKS_MAX]
    links = [
        Link(to=far.external_id or str(far.to_id), kind=far.kind, strength=far.strength)
        for far in near
    ]
    return ExportedEntry(
        **fields | {EXTERNAL_ID: entry.external_id or str(entry.id), RELATED: links}
    )


def row_of(entry: ImportedEntry) -> dict[str, Any]:
    """An entry as a row of NDJSON."""
    row = entry.model_dump(mode="json", exclude={RELATED})
    return row | {RELATED: [link.written() for link in entry.related]}


def cells_of(entry: ImportedEntry) -> dict[str, Any]:
    """An entry as a record of CSV: its tags, custom fields and relations are texts."""
    row = row_of(entry)
    texts = {name: orjson.dumps(row[name]).decode() if row[name] else "" for name in AS_JSON}
    return row | texts | {"tags": _one_text(row["tags"])}


def _one_text(tags: list[str]) -> str:
    """The tags as people write them, or as JSON where that would be read as other tags."""
    text = ",".join(tags)
    plain = not text.startswith("[") and not any("," in tag for tag in tags)
    return text if plain else orjson.dumps(tags).decode()
