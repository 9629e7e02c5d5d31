"""The language of queries in a real index: what each construct finds."""

import pytest

from contracts.search import SearchQuery
from storage.index.build import Builder
from storage.index.filters import Filters
from storage.index.parser import understand
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, days, entry, titles

CASES = [
    ("alpha AND beta", {"alpha beta", "alpha beta gamma"}),
    ("alpha AND NOT gamma", {"alpha beta"}),
    ("gamma OR delta", {"alpha", "alpha beta gamma", "delta"}),
    ("(gamma OR delta) AND NOT beta", {"alpha", "delta"}),
    ("alpha -(beta AND gamma)", {"alpha", "alpha beta"}),
    ('"alpha beta" OR delta', {"alpha beta", "alpha beta gamma", "delta"}),
    ("+beta alpha", {"alpha beta", "alpha beta gamma"}),
    ('"alpha be"*', {"alpha beta", "alpha beta gamma"}),
    ("del*", {"delta"}),
    ("de?ta", {"delta"}),
    ("be*a", {"alpha beta", "alpha beta gamma"}),
    ("detla~", {"delta"}),
    ("dletas~2", {"delta"}),
    ("title:gamma", {"alpha beta gamma"}),
    ("problem:gamma", {"alpha"}),
    ("problem:gam*", {"alpha"}),
    ("category:db2", {"alpha", "alpha beta"}),
    ("category:(cics OR utilities)", {"alpha beta", "delta"}),
    ("category:db2 gamma", {"alpha"}),
    ("category:db2 OR tag:night", {"alpha", "alpha beta", "delta"}),
    ("severity:high", {"alpha"}),
    ("-severity:high alpha", {"alpha beta", "alpha beta gamma"}),
    ("tag:nig*", {"delta"}),
    ("status:draft", {"alpha beta", "alpha beta gamma"}),
    ("author:ann", {"delta"}),
    ("source:wiki", {"delta"}),
    ("id:wiki/4", {"delta"}),
    ("usage:10..50", {"alpha", "delta"}),
    ("usage:>10", {"delta"}),
    ("usage:0", {"alpha beta", "alpha beta gamma"}),
    ("updated:>2026-01-02", {"delta"}),
    ("created:<2026", {"delta"}),
    ("code:S0C4", {"alpha"}),
    ("S0C*", {"alpha"}),
    ("S0C4 AND gamma", {"alpha"}),
    ("S0C4 AND delta", set()),
]


@pytest.fixture
def greek() -> tuple[object, ...]:
    """Entries that differ in what the cases ask for."""
    return (
        entry("alpha", "gamma s0c4", "x", category="DB2", severity="high", usage=10),
        entry("alpha beta", category="Utilities", within=("db2",)),
        entry("alpha beta gamma", category="Batch"),
        entry(
            "delta",
            solution="x",
            category="CICS",
            tags=("night",),
            updated_at=days(3),
            created_at=days(-400),
            author="Ann",
            source="Wiki",
            external_id="wiki/4",
            usage=50,
        ),
    )


@pytest.mark.parametrize(("q", "found"), CASES, ids=[q for q, _ in CASES])
def test_a_construct_finds(fill: Fill, greek: tuple[object, ...], q: str, found: set[str]) -> None:
    """Each construct finds what it should and nothing else."""
    assert set(titles(fill(*greek), q)) == found  # type: ignore[arg-type]  # entries


def test_a_boost_decides(fill: Fill) -> None:
    """Of two words the boosted one counts."""
    reader = fill(entry("alpha one"), entry("gamma one"))
    assert titles(reader, "alpha gamma^3")[0] == "gamma one"
    assert titles(reader, "alpha^3 gamma")[0] == "alpha one"


@pytest.mark.parametrize("times", [1, 6, 19])
def test_no_boosts_pass_a_code(fill: Fill, times: int) -> None:
    """Boosts in each other, as many as there are: the code is first, and nothing seems pinned."""
    reader = fill(entry("S0C4 protection"), entry("abend abend"), entry("abend", "abend"))
    found = ask(reader, "S0C4 " + "(" * times + "abend" + "^100)" * times)
    assert (found.hits[0].title, found.hits[0].matched) == ("S0C4 protection", "code")
    assert {hit.matched for hit in found.hits[1:]} == {"words"}


def test_as_written_before_misspelt(fill: Fill) -> None:
    """Of a fuzzy word's finds the one spelt the same comes first."""
    reader = fill(entry("gamna one"), entry("gamma one"), entry("gamma two"), entry("gamna two"))
    assert all("gamma" in title for title in titles(reader, "gamma~")[:2])
    assert len(titles(reader, "gamma~")) == 4


def test_when_nothing_holds_all_of_it(fill: Fill) -> None:
    """A quoted word that nobody wrote does not hide what the other words find."""
    reader = fill(entry("relation does not exist"), entry("something else"))
    reply = ask(reader, 'relation "orders" not exist')
    assert [hit.title for hit in reply.hits] == ["relation does not exist"]
    assert "searched for its words" in reply.interpreted_as


@pytest.mark.parametrize(
    ("q", "missing"),
    [
        ("source:web01 too many open files", "source web01"),
        ("too many open files tag:prod tag:(a b)", "tag prod, (tag a or tag b)"),
        ("code:500 too many open files", "code s500"),
        ("too many open files title:gateway id:4711", 'phrase "gateway" in title, id 4711'),
        ('source:web01 too many open files "on web02"', "source web01"),
    ],
)
def test_a_value_that_no_entry_has_is_words(fill: Fill, q: str, missing: str) -> None:
    """Names from a pasted line hide nothing, and the reply says what no entry has."""
    reader = fill(entry("too many open files", tags=("night",)), entry("else", source="x"))
    reply = ask(reader, q)
    assert [hit.title for hit in reply.hits] == ["too many open files"]
    assert f"no entry has {missing}" in reply.interpreted_as
    assert "searched as words)" in reply.interpreted_as


def test_what_entries_have_stays_required(fill: Fill) -> None:
    """Fields alone, those that some entry has, and what a filter takes away."""
    reader = fill(entry("too many open files", tags=("night",)), entry("else", source="x"))
    for q, note in (("tag:prod", "no entry has tag prod)"), ("many tag:night source:x", None)):
        reply = ask(reader, q)
        assert (reply.total, note is None) == (0, "no entry" not in reply.interpreted_as)
        assert note is None or note in reply.interpreted_as
    assert titles(reader, "many open source:y tag:night") == ["too many open files"]
    assert ask(reader, "many tag:night", source=("y",)).interpreted_as == "tag night; words mani"


def test_a_pattern_of_many_words_is_bounded(fill: Fill) -> None:
    """However many words begin so, a query stays small."""
    words = " ".join(f"word{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(676))
    reader = fill(entry("one", words), entry("two", words.replace("word", "wordy")))
    reply = ask(reader, "word*")
    assert reply.total == 2
    assert "1,000 most frequent" in reply.interpreted_as


def test_a_query_of_every_construct_builds(fill: Fill) -> None:
    """What the parser can make, the engine can take."""
    reader = fill(entry("a"))
    searcher = reader._reaching(None).searcher
    q = 'a "b c" "d e"* f* g~2 (h OR tag:i)^2 usage:1..2 -title:j code:S0C7 NOT (k AND l)'
    filters = Filters.of(SearchQuery(category=("x",), tag=("y",), severity=("low",)))
    query = Builder(searcher).query(understand(q), filters)
    assert searcher.search(query, 1).hits == []
