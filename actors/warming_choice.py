"""What is worth being warm: what many have asked for lately, as they asked for it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from actors import analytics_answers, analytics_lists, entries, search
from actors.actor import Operation
from contracts.analytics_answers import AskDashboard, ListQueries, ListUsedEntries
from contracts.entries import GetEntry
from contracts.search import SearchQuery
from contracts.suggest import TYPED_MIN, Suggest
from contracts.warming import Kind
from storage.postgres.store import Row, Store

DAYS = 7  # that are looked back
LOOK = 20_000  # searches of them, at most
HALF_LIFE = 86_400.0  # seconds after which a search counts half
LENGTH = 200  # characters: what was pasted is not asked for again
TYPED = 6  # characters of a popular query that somebody has typed when they take it


class Wish(NamedTuple):
    """A request whose answer should be warm."""

    kind: Kind
    operation: Operation[Any, Any]
    request: BaseModel


def wishes(store: Store, most: int) -> list[Wish]:
    """What is to be warm, the most important first: at most `most` queries, about three times as
    many in all.

    Raises: DatabaseUnavailable.
    """
    with store.transaction() as tx:
        asked = tx.rows(
            "warming.searches", days=DAYS, look=LOOK, half_life=HALF_LIFE, length=LENGTH, most=most
        )
        used = tx.rows(
            "warming.entries", days=DAYS, half_life_days=HALF_LIFE / 86_400, most=most // 2
        )
    return [
        Wish("statistics", analytics_answers.dashboard, AskDashboard()),
        Wish("statistics", analytics_lists.queries, ListQueries()),
        Wish("statistics", analytics_lists.entries, ListUsedEntries()),
        *(Wish("query", search.query, request) for request in _queries(asked)),
        *(Wish("suggestion", search.suggest, request) for request in _typed(asked, most)),
        *(Wish("entry", entries.get, GetEntry(id=row["entry_id"])) for row in used),
    ]


def _queries(asked: list[Row]) -> Iterator[SearchQuery]:
    for row in asked:
        try:
            yield SearchQuery(q=row["query"], **row["filters"])
        except (ValidationError, TypeError):
            continue  # an earlier release took it


def _typed(asked: list[Row], most: int) -> list[Suggest]:
    """The beginnings of popular queries, those of most weight first."""
    weights: dict[str, float] = {}
    for row in asked:
        for length in range(TYPED_MIN, TYPED + 1):
            start = row["query"][:length]
            if len(start) == length:
                weights[start] = weights.get(start, 0.0) + float(row["weight"])
    first = sorted(weights, key=lambda start: (-weights[start], start))
    return [Suggest(q=start) for start in first[:most]]
