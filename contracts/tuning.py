"""What people teach the search: words that mean the same, and what to show first."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from contracts.base import Contract, Text, Write
from contracts.entries import CATEGORY_MAX

SAME_MAX = 50  # words that mean the same as one
PINNED_MAX = 10  # entries for one query
PIN_MAX = 400  # characters of a query with pinned entries


def plain(text: str) -> str:
    """A query or word in lower case and with single spaces: how two of them compare."""
    return " ".join(text.casefold().split())


def _some(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


Word = Annotated[
    Text, StringConstraints(max_length=100), AfterValidator(plain), AfterValidator(_some)
]
PinnedQuery = Annotated[
    Text, StringConstraints(max_length=PIN_MAX), AfterValidator(plain), AfterValidator(_some)
]


CategoryOrAll = Annotated[Text, StringConstraints(max_length=CATEGORY_MAX, strip_whitespace=True)]


class SynonymSet(Contract):
    """What else a word or phrase is called; in one category and what is below it, or everywhere.

    It holds both ways.
    """

    word: Word
    same_as: Annotated[tuple[Word, ...], Field(max_length=SAME_MAX)]
    category: CategoryOrAll = ""


class SetSynonyms(SynonymSet, Write):
    """Keep a set, in place of what was kept for its word; one of nothing takes it back."""


class PinnedEntries(Contract):
    """Entries that are shown first, in this order, to who searches for exactly this."""

    query: PinnedQuery
    entries: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=PINNED_MAX)]


class PinEntries(PinnedEntries, Write):
    """Pin these entries, in place of what was pinned to the query."""


class Unpin(Write):
    """Show what fits best to who searches for this."""

    query: PinnedQuery


class Synonyms(Contract):
    """A word and what means the same."""

    word: str
    same_as: tuple[str, ...]
    category: str = ""
    updated_at: datetime
    updated_by: str = ""


class Pin(Contract):
    """A query and the entries that are shown first."""

    query: str
    entries: tuple[UUID, ...]
    updated_at: datetime
    updated_by: str = ""


class SearchTuning(Contract):
    """All of it. Searches use it within about a second of a change of `version`."""

    version: int
    synonyms: tuple[Synonyms, ...] = ()
    pins: tuple[Pin, ...] = ()


class PopularQuery(Contract):
    """A query as it is counted, and how many searches for it found something lately."""

    query: str
    searches: int


class PublishedTuning(SearchTuning):
    """What the searches of a node use; files of earlier releases hold less."""

    popular: tuple[PopularQuery, ...] = ()


class TuningChanged(Contract):
    """What searches will use from this version on."""

    version: int
