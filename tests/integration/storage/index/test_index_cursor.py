"""Paging by cursor: nothing twice and nothing left out, while the index moves underneath."""

import random
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from contracts.errors import ValidationFailed
from contracts.search import SearchReply
from storage.index.cursor import SHOWN_MAX
from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument, IndexWriter
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, at, days, entry

SORTS = [
    *("relevance", "updated", "-updated", "created", "-created"),
    *("usage", "-usage", "success_rate", "-success_rate"),
]
POSITIONS = count(2)


def some(number: int) -> list[IndexDocument]:
    """Entries that share their values in many ways, and their scores too."""
    return [
        entry(
            f"entry {n}",
            "job " * (n % 5 + 1) + ("restart" if n % 3 else ""),
            updated_at=days(n % 4),
            created_at=days(-(n % 3)),
            usage=n % 2,
            success=n % 6,
        )
        for n in range(number)
    ]


def pages(reader: IndexReader, q: str, sort: str, limit: int) -> Iterator[SearchReply]:
    """Page after page, each asked for when the one before was taken."""
    cursor: str | None = ""
    while cursor is not None:
        reply = ask(reader, q, sort=sort, limit=limit, cursor=cursor)
        yield reply
        cursor = reply.next


def shown(replies: Iterator[SearchReply]) -> list[str]:
    """The ids, in the order in which they came."""
    return [str(hit.id) for reply in replies for hit in reply.hits]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """An index that stays as it is."""
    root = tmp_path_factory.mktemp("quiet")
    writer = IndexWriter.build_new(root)
    writer.apply(some(57), ())
    writer.commit(at(1))
    yield IndexReader(root)
    writer.close()


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("q", ["", "job restart"])
def test_a_quiet_index_is_paged_whole(quiet: IndexReader, q: str, sort: str) -> None:
    """Every entry comes once, and in the order that offsets give."""
    ids = shown(pages(quiet, q, sort, 10))
    offsets = [ask(quiet, q, sort=sort, limit=10, offset=skip) for skip in range(0, 60, 10)]
    assert ids == shown(iter(offsets))
    assert len(set(ids)) == 57


@pytest.mark.parametrize(
    ("q", "sort"),
    [
        ("", "relevance"),
        ("job restart", "relevance"),
        *[("job restart", sort) for sort in ("updated", "-updated", "-usage", "success_rate")],
    ],
)
def test_a_moving_index_shows_each_entry_once(
    fill: Fill, writer: IndexWriter, q: str, sort: str
) -> None:
    """Entries change their scores, dates and numbers between pages; others come and go."""
    entries = some(36)
    reader = fill(*entries)
    gone = [made.id for made in entries[::9]]
    chance = random.Random(7)
    seen: list[str] = []
    for number, reply in enumerate(pages(reader, q, sort, 12)):
        seen += [str(hit.id) for hit in reply.hits]
        moved = [
            made._replace(
                updated_at=days(chance.randrange(-9, 9)),
                usage=chance.randrange(9),
                success=chance.randrange(9),
                problem="job " * chance.randrange(1, 9) + "restart",
            )
            for made in entries
            if made.id not in gone
        ]
        new = [entry(f"new {number} {n}", "job restart", usage=n) for n in range(5)]
        writer.apply([*moved, *new], gone[number : number + 1])
        writer.commit(at(next(POSITIONS)))
        if number > 30:
            break
    assert len(seen) == len(set(seen))
    assert {made.id for made in entries} - set(gone) <= set(seen)


@pytest.mark.parametrize("sort", ["relevance", "-updated", "-created"])
def test_the_rest_of_a_long_answer(fill: Fill, writer: IndexWriter, sort: str) -> None:
    """Beyond what a cursor can name, entries whose values stay come once as well."""
    number = SHOWN_MAX + 260
    reader = fill(*some(number))
    seen: list[str] = []
    longest = 0
    for page, reply in enumerate(pages(reader, "job", sort, 100)):
        seen += [str(hit.id) for hit in reply.hits]
        longest = max(longest, len(reply.next or ""))
        if page == 2:
            writer.apply([entry("new", "nothing of it")], ())
            writer.commit(at(next(POSITIONS)))
    assert len(seen) == len(set(seen)) == number
    assert longest < 5_000


def test_the_last_page_has_no_next(quiet: IndexReader) -> None:
    """Neither has a page that was asked for by its offset."""
    assert ask(quiet, "job", limit=57).next is None
    assert ask(quiet, "job", limit=56).next
    assert ask(quiet, "job", limit=5, offset=5).next is None


def test_a_cursor_outlives_its_index(fill: Fill, writer: IndexWriter) -> None:
    """It names no generation: a rebuilt index goes on where the old one was."""
    entries = some(30)
    reader = fill(*entries)
    first = ask(reader, "job", limit=10)
    writer.apply((), [made.id for made in entries])
    writer.commit(at(next(POSITIONS)))
    writer.apply(reversed(entries), ())
    writer.commit(at(next(POSITIONS)))
    rest = ask(reader, "job", limit=100, cursor=first.next)
    assert len({hit.id for hit in (*first.hits, *rest.hits)}) == 30


def test_what_is_shown_may_change_between_pages(quiet: IndexReader) -> None:
    """Limit, fields and highlights are no part of the question."""
    first = ask(quiet, "job", limit=10)
    second = ask(quiet, "job", limit=3, cursor=first.next, highlight=False, facets="tag")
    assert len(second.hits) == 3


@pytest.mark.parametrize("other", [{"q": "else"}, {"sort": "usage"}, {"tag": ("x",)}], ids=str)
def test_a_cursor_of_another_search_is_refused(quiet: IndexReader, other: dict[str, Any]) -> None:
    """Pages of two questions do not make one answer."""
    cursor = ask(quiet, "job", limit=10).next
    with pytest.raises(ValidationFailed, match="another search"):
        ask(quiet, **{"q": "job", "cursor": cursor} | other)


@pytest.mark.parametrize("change", ["cut", "flipped", "words", "emoji", "long", "zeros", "padded"])
def test_a_broken_cursor_is_refused(quiet: IndexReader, change: str) -> None:
    """Whatever is not what a page gave says so."""
    good = ask(quiet, "job", limit=10).next or ""
    broken = {
        "cut": good[:-5],
        "flipped": good[:30] + ("A" if good[30] != "A" else "B") + good[31:],
        "words": "no cursor at all",
        "emoji": "😀",
        "long": "A" * 6_000,
        "zeros": "AAAA",
        "padded": good + "====",
    }[change]
    with pytest.raises(ValidationFailed, match="cursor"):
        ask(quiet, "job", cursor=broken)
