"""How much of the index one search reads, whatever it asks for."""

from typing import Any

import pytest
import tantivy

from contracts.selection import Facet
from storage.index import reading
from storage.index.grammar import Fuzzy, Group, Phrase, Words, leaves
from storage.index.parser import understand
from storage.index.reading import Reading
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, entry

FACETS: tuple[Facet, ...] = ("category", "severity", "source")
SHORTENED = "shortened"


def entries() -> list[Any]:
    """Words of which each is in half as many entries as the one before, and some more."""
    words = ("common", "usual", "seldom", "rare")
    return [
        entry(
            f"number{n} " + " ".join(word for at, word in enumerate(words) if n % 2**at == 0),
            f"comm{n}x of the data set",
            category=f"part{n % 5}",
        )
        for n in range(64)
    ]


@pytest.fixture
def searcher(fill: Fill) -> tantivy.Searcher:
    """The entries, as the engine gives them."""
    searcher: tantivy.Searcher = fill(*entries())._current().searcher
    return searcher


def cut(searcher: tantivy.Searcher, q: str, times: int = 1) -> Group:
    """What is left of a query."""
    return Reading(searcher).affordable(understand(q), times).root


def test_what_can_be_afforded_is_left_as_it_is(searcher: tantivy.Searcher) -> None:
    """An ordinary query, however often it is asked."""
    asked = understand('common us* seldom~2 ("of the" OR "data set") -rare')
    looked = Reading(searcher)
    assert looked.affordable(asked, 100) is asked
    assert looked.notes == []


def test_the_rarest_words_are_kept(
    searcher: tantivy.Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frequent ones go first; one is always left."""
    monkeypatch.setattr(reading, "READ_MAX", 100)
    (words,) = leaves(cut(searcher, "common usual seldom rare"))
    assert isinstance(words, Words)
    assert [stem for stem, _ in words.stems] == ["rare", "seldom"]
    (words,) = leaves(cut(searcher, "common usual seldom rare", times=50))
    assert isinstance(words, Words)
    assert [stem for stem, _ in words.stems] == ["rare"]


def test_mistakes_wildcards_and_phrases_are_cut(
    searcher: tantivy.Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two letters become one, a wildcard stands for fewer words, alternatives go; conditions
    stay."""
    monkeypatch.setattr(reading, "READ_MAX", 1_500)
    assert leaves(cut(searcher, "common~2", times=10)) == [Fuzzy("common", 1)]
    looked = Reading(searcher)
    every = looked.like("words", "comm*")
    looked.affordable(understand("comm*"), 1)
    assert 0 < len(looked.like("words", "comm*")) < len(every) == 65
    assert len(looked.notes) == 1
    either = '("of the" OR "data set" OR rare)'
    assert [leaf for leaf in leaves(cut(searcher, either, 5)) if isinstance(leaf, Phrase)] == []
    assert len(leaves(cut(searcher, '"of the" "data set"', 5))) == 2


def test_a_shortened_search_says_so(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """In facets and groups the same query is asked more often: it is cut where one page is not."""
    reader = fill(*entries())
    monkeypatch.setattr(reading, "READ_MAX", 30_000)
    assert SHORTENED not in ask(reader, "comm*").interpreted_as
    found = ask(reader, "comm*", facets=FACETS, group="category", explain=True)
    assert SHORTENED in found.interpreted_as
    assert found.groups
    assert found.facets["category"]


def test_a_wildcard_is_looked_up_once_in_a_search(
    fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facets, groups, explanations and highlights ask for the same words again."""
    reader = fill(*entries())
    looked = []
    place = Reading._looked_up

    def counted(self: Reading, at: tuple[str, str, str]) -> Any:
        if at not in self._terms:
            looked.append(at)
        return place(self, at)

    monkeypatch.setattr(Reading, "_looked_up", counted)
    filters = {"category": ["part1", "part2"], "severity": ["medium"]}
    ask(reader, "comm* rare", facets=FACETS, group="category", explain=True, **filters)
    assert sorted(looked) == [("codes", "comm", "comm*"), ("words", "comm", "comm*")]
