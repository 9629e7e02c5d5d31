"""Entries for the index, and answers as objects."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from contracts.position import Position
from contracts.search import SearchQuery, SearchReply
from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def entry(title: str, problem: str = "", solution: str = "", **other: Any) -> IndexDocument:
    """An entry whose id is made from its title, unless `other` says otherwise."""
    values: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE_OID, ascii(title))),
        "category": "Other",
        "severity": "medium",
        "tags": (),
        "version": 1,
        "updated_at": DAY,
    }
    return IndexDocument(title=title, problem=problem, solution=solution, **values | other)


def days(number: int) -> datetime:
    """So many days after DAY."""
    return DAY + timedelta(days=number)


def at(number: int, epoch: str = "e") -> Position:
    """A position; later for larger numbers."""
    return Position(epoch, number, number)


def ask(reader: IndexReader, q: str = "", **other: Any) -> SearchReply:
    """Search, and read the answer by its contract."""
    return SearchReply.model_validate_json(reader.search(SearchQuery(q=q, **other)))


def titles(reader: IndexReader, q: str = "", **other: Any) -> list[str]:
    """The titles that a search finds, the best first."""
    return [hit.title for hit in ask(reader, q, **other).hits]
