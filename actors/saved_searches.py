"""Saved searches: what comes to fit one is kept, raises an event, and is posted to its webhook."""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

import orjson

from actors import analytics
from actors.actor import actor
from actors.alerting.channels import Channels
from actors.broker.broker import StreamsBroker
from contracts.analytics import BATCH_MAX, Event, EventKind, RecordEvents
from contracts.base import Nothing, new_id
from contracts.errors import (
    IndexBehind,
    IndexUnavailable,
    NotFinished,
    SavedSearchNotFound,
    SavedSearchRefused,
    ValidationFailed,
)
from contracts.position import Position
from contracts.saved_searches import (
    SEARCHES_MAX,
    ListMatches,
    PostedMatches,
    PostMatches,
    RemoveSearch,
    SavedMatch,
    SavedMatches,
    SavedSearch,
    SavedSearches,
    SaveSearch,
    SearchRemoved,
    SearchSaved,
)
from storage.index.searcher import IndexReader
from storage.index.wanted import Wanted
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=5)
SLICE = 200  # changes that all searches are asked about at a time
TURN = 20.0  # seconds that a run works before others on its queue have their turn
START: Row = {"txid": "0", "seq": 0}
EMPTY = "asks for nothing that an entry must have: add a word, a field or a category"
POSTED = 100  # matches in one request to a webhook


@actor(queue="entries")
def save(command: SaveSearch, store: Store, channels: Channels, index: IndexReader) -> SearchSaved:
    """Keep a search, and say how its query was read.

    Raises: SavedSearchRefused for one too many, or a webhook that may not be; ValidationFailed for
    one that every change would fit.
    """
    if not (command.category or index.asks_for_something(command.query)):
        error = {"field": "query", "code": "QUERY_EMPTY", "message": EMPTY}
        raise ValidationFailed(f"The query {EMPTY}; nothing was saved.", errors=[error])
    if command.webhook and not channels.may_post(command.webhook):
        raise SavedSearchRefused(
            "This webhook's host is not in CASEBOOK_SEARCH_WEBHOOKS; nothing was saved.",
            webhook=command.webhook,
        )

    read = index.read_strictly(command.query)

    def effect(tx: Transaction) -> SearchSaved:
        tx.run("saved_searches.lock")
        others = tx.row("saved_searches.others", name=command.name)
        if others is not None and others["count"] >= SEARCHES_MAX:
            raise SavedSearchRefused(most=SEARCHES_MAX)
        _begin(tx)
        row = tx.row(
            "saved_searches.save",
            **command.model_dump(include={"name", "query", "webhook", "by"}),
            category=list(command.category),
            **_place(tx.row("feed.head") or START),
        )
        assert row is not None
        return SearchSaved(**row, interpreted_as=read)

    return once(store, "saved_searches.save", command, SearchSaved, effect)


@actor(queue="entries")
def remove(command: RemoveSearch, store: Store) -> SearchRemoved:
    """Forget a search and its matches. Raises: SavedSearchNotFound."""

    def effect(tx: Transaction) -> SearchRemoved:
        if not tx.run("saved_searches.remove", name=command.name):
            raise SavedSearchNotFound(name=command.name)
        return SearchRemoved(name=command.name)

    return once(store, "saved_searches.remove", command, SearchRemoved, effect)


@actor(queue="reads", read=True)
def list_all(request: Nothing, store: Store) -> SavedSearches:
    """Every saved search, by name."""
    with store.transaction() as tx:
        rows = tx.rows("saved_searches.list")
    return SavedSearches(searches=tuple(SavedSearch(**row) for row in rows))


@actor(queue="reads", read=True)
def matches(request: ListMatches, store: Store) -> SavedMatches:
    """What came to fit a search, the newest first. Raises: SavedSearchNotFound."""
    with store.transaction() as tx:
        if tx.row("saved_searches.exists", name=request.name) is None:
            raise SavedSearchNotFound(name=request.name)
        given = request.model_dump() | {"limit": request.limit + 1}
        rows = tx.rows("saved_searches.matches", **given)
    found = tuple(SavedMatch(**row) for row in rows[: request.limit])
    more = len(rows) > request.limit
    return SavedMatches(
        name=request.name, matches=found, next_cursor=found[-1].id if more else None
    )


@actor(queue="upkeep", time_limit=timedelta(minutes=2))
def match(request: Nothing, store: Store, index: IndexReader, broker: StreamsBroker) -> Nothing:
    """Ask all searches about what changed since the last run, by this node's index.

    Runs may meet: a slice of changes and the place up to which all was looked at are written in
    one transaction, by whoever comes first. Raises: NotFinished.
    """
    until = time.monotonic() + TURN
    more = True
    while more and time.monotonic() < until:
        more = _match_slice(store, index)
    _raise_events(store, broker)
    with store.transaction() as tx:
        waiting = tx.rows("saved_searches.waiting")
    for row in waiting:
        message = post.message(PostMatches(name=row["search"]))
        broker.enqueue_once(message, f"saved:{row['search']}:{row['last']}")
    if more:
        raise NotFinished()
    return Nothing()


@actor(queue="health", max_retries=10, time_limit=timedelta(seconds=60))
def post(request: PostMatches, store: Store, channels: Channels) -> Nothing:
    """Post what a search's webhook has not been told of. Raises: NotTold, NotFinished.

    Outside, "once" can't be promised: killed between posting and noting it, it posts again.
    """
    until = time.monotonic() + TURN
    while time.monotonic() < until:
        with store.transaction() as tx:
            rows = tx.rows("saved_searches.unposted", name=request.name, limit=POSTED)
        if not rows:
            return Nothing()
        url, query = rows[0]["webhook"], rows[0]["query"]
        found = tuple(SavedMatch(**{k: row[k] for k in SavedMatch.model_fields}) for row in rows)
        if channels.may_post(url):
            body = PostedMatches(search=request.name, query=query, matches=found)
            channels.post(url, body.model_dump_json().encode())
        elif url:
            log.warning("%s: its webhook's host is not allowed any more", request.name)
        with store.transaction() as tx:
            tx.run("saved_searches.posted", ids=[row["id"] for row in rows])
    raise NotFinished()


def _match_slice(store: Store, index: IndexReader) -> bool:
    """Ask all searches about the next changes; whether there may be more."""
    published = index.published()
    with store.transaction() as tx:
        place = _begin(tx)
        searches = tx.rows("saved_searches.list")
        if published is None or published.position.epoch != place["epoch"] or not searches:
            return False
        rows = _slice(tx, place, published.position)
    if not rows:
        return False
    made = {row["id"]: row for row in rows if row["made"]}  # the last of each entry
    asked = [Wanted(row["name"], row["query"], tuple(row["category"])) for row in searches]
    try:
        found = index.wanted(asked, list(made), str(published.position)) if made else []
    except (IndexUnavailable, IndexBehind):
        return False  # it was taken away meanwhile; the next run asks again
    _keep(store, place, rows, [_match(made[one[1]], *one) for one in found])
    return len(rows) == SLICE


def _slice(tx: Transaction, place: Row, to: Position) -> list[Row]:
    ends = {**_place(place), "to_txid": str(to.txid), "to_seq": to.seq}
    return tx.rows("saved_searches.slice", limit=SLICE, **ends)


def _match(change: Row, search: str, entry_id: str, version: int) -> Row:
    found = {"id": str(new_id()), "search": search, "entry_id": entry_id, "version": version}
    return found | _place(change)


def _keep(store: Store, place: Row, rows: Sequence[Row], found: list[Row]) -> None:
    """The matches and the new place, at once; nothing where another run was here first."""
    last = rows[-1]
    with store.transaction() as tx:
        ends = {**_place(place), "to_txid": last["txid"], "to_seq": last["seq"]}
        if tx.run("saved_searches.move", epoch=place["epoch"], **ends) and found:
            tx.run("saved_searches.keep", found=orjson.dumps(found).decode())


def _raise_events(store: Store, broker: StreamsBroker) -> None:
    """An event for each match, with the match's id: sent again after a kill, it is kept once."""
    while True:
        with store.transaction() as tx:
            rows = tx.rows("saved_searches.unraised", limit=BATCH_MAX)
        if not rows:
            return
        events = tuple(
            Event(
                id=row["id"],
                kind=EventKind.ALERT_RAISED,
                entry_id=row["entry_id"],
                details={"search": row["search"], "version": row["version"]},
            )
            for row in rows
        )
        token = f"matches:{rows[0]['id']}:{rows[-1]['id']}"
        broker.enqueue_once(analytics.record.message(RecordEvents(events=events)), token)
        with store.transaction() as tx:
            tx.run("saved_searches.raised", ids=[row["id"] for row in rows])


def _begin(tx: Transaction) -> Row:
    """Up to where all was looked at. Where the feed is another one, that is its settled end."""
    epoch = tx.position(0, 0).epoch
    place = tx.row("saved_searches.place")
    if place is None or place["epoch"] != epoch:
        head = tx.row("feed.head") or START
        if tx.run("saved_searches.begin_anew", epoch=epoch, **_place(head)):
            tx.run("saved_searches.forget_places")
        place = tx.row("saved_searches.place")
    assert place is not None
    return place


def _place(row: Row) -> Row:
    return {"txid": row["txid"], "seq": row["seq"]}
