"""Saved searches: what comes to fit one is kept once, raises one event, and is posted."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from actors import entries, saved_searches
from actors.alerting.channels import SIGNATURE, Channels
from actors.broker.delivery import Done, Retry
from contracts.base import Nothing
from contracts.entries import ChangeEntryState, CreateEntry, EntryChanges, EntryFields, UpdateEntry
from contracts.errors import SavedSearchNotFound, SavedSearchRefused, ValidationFailed
from contracts.saved_searches import ListMatches, PostMatches, RemoveSearch, SavedMatch, SaveSearch
from storage.index.follower import Follower
from storage.index.searcher import IndexReader
from tests.integration.actors.test_alerts import receiver
from tests.support.courier import deliver
from tests.support.house import House


@pytest.fixture
def follower(house: House, tmp_path: Path) -> Iterator[Follower]:
    """The writer of the house's index."""
    follower = Follower(tmp_path / "index", house.store)
    yield follower
    follower.close()


def save(house: House, name: str, query: str, **other: Any) -> None:
    """Save a search."""
    house.call(saved_searches.save, SaveSearch(name=name, query=query, **other))


def add(house: House, title: str, category: str = "Other") -> UUID:
    """A new entry's id."""
    command = CreateEntry(entry=EntryFields(title=title, category=category))
    found: UUID = house.call(entries.create, command).entry.id
    return found


def match(house: House, follower: Follower) -> None:
    """Bring the index up to date, and ask all searches."""
    follower.step()
    house.call(saved_searches.match, Nothing())


def found(house: House, name: str) -> list[tuple[str | None, int]]:
    """Titles and versions, the oldest first."""
    reply = house.call(saved_searches.matches, ListMatches(name=name))
    return [(one.title, one.version) for one in reversed(reply.matches)]


def test_what_comes_later_matches_and_raises_one_event(house: House, follower: Follower) -> None:
    """Not what was there before; a changed entry matches again, with its new version."""
    old = add(house, "deadlock of long ago")
    match(house, follower)
    save(house, "locks", "deadlock")
    match(house, follower)
    assert found(house, "locks") == []
    new = add(house, "deadlock in payroll")
    add(house, "something else")
    match(house, follower)
    house.call(entries.update, UpdateEntry(id=old, changes=EntryChanges(solution="wait")))
    match(house, follower)
    match(house, follower)
    assert found(house, "locks") == [("deadlock in payroll", 1), ("deadlock of long ago", 2)]
    with house.running("analytics"):
        house.until("select 1 from events where kind = 'alert_raised' having count(*) = 2")
    rows = house.rows("select entry_id, details from events order by id")
    assert {row["entry_id"] for row in rows} == {new, old}
    assert rows[0]["details"]["search"] == "locks"


def test_what_only_tells_the_index_something_matches_nothing(
    house: House, follower: Follower
) -> None:
    """A count that moved is no change of the entry."""
    old = add(house, "deadlock")
    match(house, follower)
    save(house, "locks", "deadlock")
    with house.store.transaction() as tx:
        tx.row("feed.append", entry_id=old, op="put")
    match(house, follower)
    assert found(house, "locks") == []


@pytest.mark.parametrize(
    ("query", "category", "wanted"),
    [
        ("S0C7", (), ["abend 0C7 in payroll"]),
        ("S0C7 nonsense", (), ["abend 0C7 in payroll"]),
        ("payroll abend", (), ["abend 0C7 in payroll"]),
        ("payrolx abend", (), []),
        ('"in payroll"', (), ["abend 0C7 in payroll", "late in payroll"]),
        ("payroll -abend", (), ["late in payroll"]),
        ("(late OR abend) payroll", (), ["abend 0C7 in payroll", "late in payroll"]),
        ("", ("db2",), ["deadlock"]),
        ("payroll", ("db2",), []),
        ("category:db2", (), ["deadlock"]),
        ("", ("batch", "db2"), ["abend 0C7 in payroll", "deadlock", "late in payroll"]),
    ],
)
def test_a_search_is_meant_strictly(
    house: House, follower: Follower, query: str, category: tuple[str, ...], wanted: list[str]
) -> None:
    """A code is enough; without one all words must be there; nothing is guessed at."""
    save(house, "any", query, category=category)
    for title, where in (
        ("abend 0C7 in payroll", "Batch"),
        ("late in payroll", "Batch"),
        ("deadlock", "DB2"),
    ):
        add(house, title, where)
    match(house, follower)
    assert sorted(title or "" for title, _ in found(house, "any")) == wanted


def test_all_matches_can_be_read(house: House, follower: Follower) -> None:
    """Page by page, the newest first, each once."""
    save(house, "any", "one")
    for number in range(5):
        add(house, f"one {number}")
    match(house, follower)
    whole = house.call(saved_searches.matches, ListMatches(name="any"))
    assert (len(whole.matches), whole.next_cursor) == (5, None)
    read: list[SavedMatch] = []
    page = house.call(saved_searches.matches, ListMatches(name="any", limit=2))
    read += page.matches
    while page.next_cursor:
        asked = ListMatches(name="any", limit=2, cursor=page.next_cursor)
        page = house.call(saved_searches.matches, asked)
        read += page.matches
    assert tuple(read) == whole.matches


def test_a_search_that_is_saved_anew_begins_anew(house: House, follower: Follower) -> None:
    """It matches what changes from then on, and what has been removed is gone."""
    save(house, "any", "one")
    add(house, "one two")
    follower.step()
    save(house, "any", "two")
    match(house, follower)
    assert found(house, "any") == []
    gone = add(house, "two")
    house.call(entries.archive, ChangeEntryState(id=gone))
    add(house, "two three")
    match(house, follower)
    assert found(house, "any") == [("two three", 1)]
    house.call(saved_searches.remove, RemoveSearch(name="any"))
    for operation, request in (
        (saved_searches.matches, ListMatches(name="any")),
        (saved_searches.remove, RemoveSearch(name="any")),
    ):
        with pytest.raises(SavedSearchNotFound):
            house.call(operation, request)


def test_runs_that_meet_keep_each_match_once(
    house: House, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes look at the same changes at once, slice by slice: no match is lost or doubled."""
    monkeypatch.setattr(saved_searches, "SLICE", 3)
    save(house, "all", "", category=("Other",))
    save(house, "even", "even")
    for number in range(10):
        add(house, f"number {number} {'even' if number % 2 == 0 else 'odd'}")
    follower.step()
    together = threading.Barrier(2)
    asked = IndexReader.wanted

    def wanted(*given: Any) -> Any:
        """Look, and wait for the other: both then write what they have found."""
        reply = asked(*given)
        together.wait()
        return reply

    with monkeypatch.context() as meeting:
        meeting.setattr(IndexReader, "wanted", wanted)
        index = house.broker.resources[IndexReader]
        runs = [
            threading.Thread(target=saved_searches._match_slice, args=(house.store, index))
            for _ in range(2)
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    assert len(found(house, "all")) == 3
    match(house, follower)
    assert [len(found(house, name)) for name in ("all", "even")] == [10, 5]


def test_events_that_were_sent_before_a_kill_are_kept_once(
    house: House, follower: Follower
) -> None:
    """A run that died after sending sends again; ids are the matches'."""
    save(house, "all", "", category=("Other",))
    add(house, "one")
    match(house, follower)
    with house.store.transaction() as tx:
        tx.connection.execute("update saved_matches set raised = false")
    add(house, "two")
    match(house, follower)
    with house.running("analytics"):
        house.until("select 1 from events having count(distinct entry_id) = 2")
    assert len(house.rows("select 1 from events")) == 2


def test_a_webhook_gets_what_matched_signed_until_it_takes_it(
    house: House, follower: Follower
) -> None:
    """Posted again after a refusal, then never again; only to a host that settings allow."""
    with receiver(500, 204) as (url, came):
        with pytest.raises(SavedSearchRefused, match="CASEBOOK_SEARCH_WEBHOOKS"):
            save(house, "locks", "deadlock", webhook=url)
        host = url.removeprefix("http://").partition("/")[0]
        house.broker.resources[Channels] = Channels(webhook_secret="s3cret", hosts=(host,))
        save(house, "locks", "deadlock", webhook=url)
        add(house, "deadlock")
        match(house, follower)
        message = saved_searches.post.message(PostMatches(name="locks"))
        assert isinstance(deliver(house, message), Retry)
        for _ in range(2):
            assert isinstance(deliver(house, message), Done)
    assert len(came) == 2
    headers, body = came[-1]
    assert SIGNATURE in headers
    posted = orjson.loads(body)
    assert (posted["search"], posted["matches"][0]["title"]) == ("locks", "deadlock")


@pytest.mark.parametrize(
    "query", ["", "*", "(((", '""', "the", "-deadlock", "-S0C7 -tag:x", "+the -deadlock"]
)
def test_a_search_that_asks_for_nothing_is_refused(house: House, query: str) -> None:
    """Every change would be a match of it; within a category it says something."""
    with pytest.raises(ValidationFailed, match="asks for nothing"):
        save(house, "all", query)
    assert house.call(saved_searches.list_all, Nothing()).searches == ()
    save(house, "all", query, category=("Other",))


@pytest.mark.parametrize("query", ["S0C7", "the deadlock", '"the"', "tag:x", "usage:>5", "dead*"])
def test_a_search_that_asks_for_something_is_kept(house: House, query: str) -> None:
    """A code, a word that tells, a phrase, a field, a pattern."""
    save(house, "some", query)
    assert house.call(saved_searches.list_all, Nothing()).searches[0].query == query


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("zebra AND -printer", "must have zebra; without printer"),
        ("late payroll", "must have late; must have payrol"),
        ("S0C7 payroll", "code s0c7; s0c7"),
        ("zebra OR giraffe", "((must have zebra) or (must have giraff))"),
        ("zebra AND", "must have zebra (AND, OR, NOT or a sign stands without"),
    ],
)
def test_a_search_is_kept_as_it_is_told(house: House, query: str, read: str) -> None:
    """Who saves one hears at once how it was read, with what was not."""
    done = house.call(saved_searches.save, SaveSearch(name="any", query=query))
    assert done.interpreted_as.startswith(read)


def test_there_are_not_more_than_may_be(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused; one that is there can be changed."""
    monkeypatch.setattr(saved_searches, "SEARCHES_MAX", 1)
    save(house, "one", "x")
    save(house, "one", "y")
    with pytest.raises(SavedSearchRefused):
        save(house, "two", "x")
    (kept,) = house.call(saved_searches.list_all, Nothing()).searches
    assert (kept.name, kept.query) == ("one", "y")


def test_what_is_old_or_too_much_is_pruned(house: House, follower: Follower) -> None:
    """The newest of each search stay."""
    save(house, "all", "", category=("Other",))
    for title in ("one", "two", "three"):
        add(house, title)
        match(house, follower)
    with house.store.transaction() as tx:
        assert tx.row("saved_searches.prune", days=1, most=2) == {"removed": 1}
        assert tx.row("saved_searches.prune", days=1, most=2) is None
    assert [title for title, _ in found(house, "all")] == ["two", "three"]
