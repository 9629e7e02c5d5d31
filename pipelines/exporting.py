"""Every entry that passes a filter, page by page, in a form that the importer reads again."""

from collections.abc import AsyncIterator
from typing import Any

from actors import entries
from actors.broker.client import Client
from contracts.entries import Entry, EntryPage, ListEntries
from contracts.imports import ImportedEntry
from pipelines.ask import ask_for

PAGE = 200  # entries: with bodies at their limits a page may still pass a reply's size
TIMEOUT = 30.0  # seconds for one page


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


def importable(entry: Entry) -> dict[str, Any]:
    """What the importer reads of an entry; one without an external id gets its own id as such."""
    row = entry.model_dump(mode="json", include=set(ImportedEntry.model_fields))
    row["external_id"] = row["external_id"] or str(entry.id)
    return row
