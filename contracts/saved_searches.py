"""Saved searches: what somebody wants to hear of, and what came to fit."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from contracts.base import Contract, Text, Write
from contracts.entries import Category

SEARCHES_MAX = 1_000  # saved at a time
QUERY_MAX = 1_000  # characters: typed, not pasted
URL_MAX = 1_000  # characters


def _address(url: str) -> str:
    if not url:
        return url
    try:
        place = urlsplit(url)
        fine = place.scheme in ("http", "https") and place.hostname and place.port != 0
    except ValueError:
        fine = False
    if not fine or not (url.isascii() and url.isprintable()) or " " in url or "@" in place.netloc:
        raise ValueError("must be http://HOST/PATH or https://HOST/PATH, without a password")
    return url


SearchName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
]


class WantedEntries(Contract):
    """Which entries are wanted, and the URL to post them to as they come.

    A code in `query` is enough; where there is none, an entry must hold all of its words.
    """

    query: Annotated[Text, StringConstraints(max_length=QUERY_MAX)]
    category: Annotated[tuple[Category, ...], Field(max_length=20)] = ()
    webhook: Annotated[Text, Field(max_length=URL_MAX), AfterValidator(_address)] = ""


class SaveSearch(WantedEntries, Write):
    """Keep a search in place of what had its name; it matches what changes from now on."""

    name: SearchName


class RemoveSearch(Write):
    """Forget a search and its matches."""

    name: SearchName


class SearchRemoved(Contract):
    """It is gone."""

    name: str


class SavedSearch(Contract):
    """A search and how many matches are kept of it."""

    name: str
    query: str
    category: tuple[str, ...]
    webhook: str
    updated_at: datetime
    updated_by: str
    matches: int = 0


class SearchSaved(SavedSearch):
    """A search as it was just saved, and how its query was read: what an entry must hold."""

    interpreted_as: str = ""


class SavedSearches(Contract):
    """All of them, by name."""

    searches: tuple[SavedSearch, ...]


class ListMatches(Contract):
    """Whose matches, and how many of the last; before `cursor`, the end of another page."""

    name: SearchName
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: UUID | None = None


class SavedMatch(Contract):
    """An entry that came to fit. `id` is that of its event, and says when it was found."""

    id: UUID
    entry_id: UUID
    version: int
    at: datetime
    #: As it is now; None of an entry that is gone.
    title: str | None
    category: str | None


class SavedMatches(Contract):
    """The newest first; older ones are asked for with `next_cursor`, None at their end."""

    name: str
    matches: tuple[SavedMatch, ...]
    next_cursor: UUID | None = None


class PostedMatches(Contract):
    """What a webhook gets: the oldest first. A match may come twice, with the same id."""

    search: str
    query: str
    matches: tuple[SavedMatch, ...]


class PostMatches(Contract):
    """Post what a search's webhook has not been told of."""

    name: SearchName
