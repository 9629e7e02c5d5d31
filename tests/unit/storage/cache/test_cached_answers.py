"""Keys of answers, and when a kept one may be given."""

import time

import orjson
import pytest
from pydantic import BaseModel

from actors.catalogue import SHARED
from contracts.analytics_answers import AskDashboard
from contracts.entries import GetEntry
from contracts.position import Position
from contracts.search import SearchQuery
from contracts.similar import MoreLikeThis
from contracts.suggest import Suggest
from storage.cache import answers
from storage.cache.answers import RULES, is_fresh, is_kept, kept_of, key_of, may_wait
from storage.cache.layer import Kept
from storage.index.freshness import Fresh
from storage.index.published import Published
from storage.index.schema import SCHEMA_VERSION
from storage.index.touched import Touched

QUERY, SUGGEST = "search.query", "search.suggest"
DASHBOARD = "analytics_answers.dashboard"


def published(**touched: int) -> Fresh:
    """An index at 9, begun at 1, whose categories were touched there."""
    places = {name: Position("e", number, 0) for name, number in touched.items()}
    known = Touched(Position("e", 1, 0), 100.0, places)
    return Fresh.of(Published("v", 1, Position("e", 9, 0), SCHEMA_VERSION, 1, touched=known))


def kept(number: int = 5, seen: Fresh | None = None, age: float = 0, **told: object) -> Kept:
    """An answer of a position."""
    reply = {"position": f"e.{number}.0", "edition": (seen or published()).edition, **told}
    return kept_of(QUERY, orjson.dumps(reply), time.time() - age)


def test_every_operation_has_the_name_of_an_actor() -> None:
    """A rule for an operation that there is not would never be used."""
    known = {operation.name: operation for operation in SHARED}
    assert {name: known[name].request for name in RULES} == {
        name: rule.request for name, rule in RULES.items()
    }


def test_equal_requests_have_one_key() -> None:
    """What is left out is as if it was given; what has to be reached makes no difference."""
    keys = [
        key_of(QUERY, SearchQuery(q="S0C7")),
        key_of(QUERY, SearchQuery(q="S0C7", limit=10, mode="lexical")),
        key_of(QUERY, SearchQuery(q="S0C7", after="e.1.1")),
    ]
    others = [
        key_of(QUERY, SearchQuery(q="s0c7")),
        key_of(QUERY, SearchQuery(q="S0C7", category=("DB2",))),
        key_of(SUGGEST, Suggest(q="S0C7")),
    ]
    assert len(set(keys)) == 1
    assert len({*keys, *others}) == 4


def test_another_shape_or_release_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a release before has kept is not found by this one."""
    before = key_of(QUERY, SearchQuery(q="S0C7"))
    try:
        with monkeypatch.context() as other:
            other.setattr(answers, "version", lambda _: "99.0")
            answers._shape.cache_clear()
            assert key_of(QUERY, SearchQuery(q="S0C7")) != before
        with monkeypatch.context() as other:
            rule = answers.Rule(SearchQuery, GetEntry, 1.0)
            other.setattr(answers, "RULES", {QUERY: rule})
            answers._shape.cache_clear()
            assert key_of(QUERY, SearchQuery(q="S0C7")) != before
    finally:
        answers._shape.cache_clear()
    assert key_of(QUERY, SearchQuery(q="S0C7")) == before


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, True),
        ({"offset": 100}, True),
        ({"offset": 101}, False),
        ({"cursor": "x"}, False),
        ({"explain": True}, False),
        ({"mode": "hybrid"}, False),
    ],
)
def test_what_few_ask_for_is_not_kept(asked: dict[str, object], expected: bool) -> None:
    """Explanations, pages far down, and what rests on more than the index."""
    request = SearchQuery.model_validate({"q": "x", **asked})
    assert is_kept(QUERY, request) is expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (SearchQuery(q="x"), False),
        (SearchQuery(q="x", category=("VSAM",)), True),
        (SearchQuery(q="x", category=("DB2",)), False),
        (SearchQuery(q="x", category=("VSAM", "DB2")), False),
        (SearchQuery(q="x", category=("VSAM",), facets=("tag",)), True),
        (SearchQuery(q="x", category=("VSAM",), facets=("category",)), False),
        (SearchQuery(q="x", category=("VSAM",), after="e.5.0"), True),
        (SearchQuery(q="x", category=("VSAM",), after="e.5.1"), False),
        (SearchQuery(q="x", category=("VSAM",), after="other.1.0"), False),
    ],
)
def test_an_answer_is_fresh_while_nothing_it_looks_at_is_touched(
    request_: SearchQuery, expected: bool
) -> None:
    """DB2 was touched after the answer, VSAM was not."""
    seen = published(db2=7, vsam=3)
    assert is_fresh(QUERY, request_, kept(5, seen), seen) is expected


def test_a_guess_rests_on_everything() -> None:
    """Which word was meant is taken from the words of all categories."""
    seen, narrow = published(db2=7), SearchQuery(q="abennd", category=("VSAM",))
    assert is_fresh(QUERY, narrow, kept(5, seen), seen)
    assert not is_fresh(QUERY, narrow, kept(5, seen, did_you_mean="abend"), seen)


def test_age_and_clocks() -> None:
    """Too old is not fresh, and neither is what another clock calls the future."""
    seen, request = published(), SearchQuery(q="x")
    assert is_fresh(QUERY, request, kept(5, seen, age=599), seen)
    assert not is_fresh(QUERY, request, kept(5, seen, age=601), seen)
    assert not is_fresh(QUERY, request, kept(5, seen, age=-60), seen)
    assert not is_fresh(QUERY, request, kept(5, seen), None)


@pytest.mark.parametrize(
    ("made", "now", "age", "expected"),
    [
        ("a", "a", 69, True),
        ("a", "a", 71, False),
        ("a", "b", 0, False),
        (None, "b", 0, False),
        ("a", None, 1, True),
        ("a", None, 3, False),
    ],
)
def test_statistics_are_fresh_until_the_next_roll_up(
    made: str | None, now: str | None, age: float, expected: bool
) -> None:
    """Its token tells; where nobody knows it, they are for two seconds."""
    told = kept_of(DASHBOARD, b"{}", time.time() - age, made)
    assert is_fresh(DASHBOARD, AskDashboard(), told, None, now) is expected


def test_of_another_release_it_is_not_fresh() -> None:
    """A worker that does not tell its edition is believed for nobody but who asked it."""
    told = kept_of(QUERY, b'{"position": "e.9.0"}', time.time())
    assert not is_fresh(QUERY, SearchQuery(q="x"), told, published())


@pytest.mark.parametrize(
    ("operation", "request_", "age", "expected"),
    [
        (QUERY, SearchQuery(q="x"), 0, False),
        (SUGGEST, Suggest(q="xy"), 59, True),
        (SUGGEST, Suggest(q="xy"), 61, False),
        ("search.like", MoreLikeThis(text="x"), 0, False),
        ("analytics_answers.dashboard", AskDashboard(), 89, True),
        ("analytics_answers.dashboard", AskDashboard(), 91, False),
    ],
)
def test_what_may_be_given_while_another_is_computed(
    operation: str, request_: BaseModel, age: float, expected: bool
) -> None:
    """Suggestions and statistics, for a minute; never a search."""
    assert may_wait(operation, request_, kept(age=age)) is expected
