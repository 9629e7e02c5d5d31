"""Searches by words and by meaning in one order."""

from uuid import UUID

import pytest

from contracts.search import FusedQuery, SearchReply
from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import entry, titles

WORDS = entry("disk full", "the disk is full", category="Storage", severity="high")
BOTH = entry("volume is out of room", "a disk", category="Storage")
MEANT = entry("no space left", category="Storage")
OTHER = entry("quota exceeded", category="Network", severity="high")
CODE = entry("S0C7 in the nightly job")
FAR = entry("printer on fire")
ALL = (WORDS, BOTH, MEANT, OTHER, CODE, FAR)


def ask(
    reader: IndexReader, q: str, *near: IndexDocument, mode: str = "hybrid", **other: object
) -> SearchReply:
    """Search, and read the answer by its contract."""
    ids = tuple(UUID(one.id) for one in near)
    request = FusedQuery.model_validate({"q": q, "mode": mode, "near": ids, **other})
    return SearchReply.model_validate_json(reader.search(request))


def shown(reply: SearchReply) -> list[str]:
    """Titles, in order."""
    return [hit.title for hit in reply.hits]


def test_both_lists_are_one(fill: Fill) -> None:
    """What stands in both comes first; each hit says by what it was found; all are counted."""
    reply = ask(fill(*ALL), "disk", MEANT, BOTH, OTHER)
    assert shown(reply)[0] == BOTH.title
    assert set(shown(reply)) == {WORDS.title, BOTH.title, MEANT.title, OTHER.title}
    assert reply.total == 4
    matched = {hit.title: hit.matched for hit in reply.hits}
    assert (matched[WORDS.title], matched[MEANT.title]) == ("words", "semantic")


def test_by_meaning_alone(fill: Fill) -> None:
    """The order is that of the vectors, and words find nothing."""
    reply = ask(fill(*ALL), "disk", MEANT, OTHER, mode="semantic")
    assert shown(reply) == [MEANT.title, OTHER.title]
    assert {hit.matched for hit in reply.hits} == {"semantic"}


def test_codes_stay_first(fill: Fill) -> None:
    """In either mode, whatever is near."""
    reader = fill(*ALL)
    for mode in ("hybrid", "semantic"):
        reply = ask(reader, "abend S0C7", MEANT, CODE, FAR, mode=mode, explain=True)
        assert shown(reply) == [CODE.title, MEANT.title, FAR.title]
        assert reply.hits[0].matched == "code"


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
@pytest.mark.parametrize(
    ("q", "said", "left"),
    [
        ("-disk", "without disk; everything", {MEANT, OTHER, CODE, FAR}),
        ("*", "everything", set(ALL)),
        ("category:storage", "category storage; everything", {WORDS, BOTH, MEANT}),
    ],
)
def test_what_has_no_meaning_is_everything(
    fill: Fill, mode: str, q: str, said: str, left: set[IndexDocument]
) -> None:
    """All that the query leaves, newest first, as by words: not only what a vector of `-disk` is
    near to; and the reply says so."""
    reader = fill(*ALL)
    reply = ask(reader, q, FAR, mode=mode)
    assert shown(reply) == titles(reader, q)
    assert set(shown(reply)) == {one.title for one in left}
    assert reply.interpreted_as == f"{said}, newest first (nothing in it has a meaning)"


def test_filters_and_what_the_query_refuses_hold(fill: Fill) -> None:
    """For what is near as for what holds the words; facets count the same."""
    reader = fill(*ALL)
    near = (MEANT, OTHER, FAR)
    found = ask(reader, "disk", *near, category=("Storage",), facets=("severity",))
    assert set(shown(found)) == {WORDS.title, BOTH.title, MEANT.title}
    counts = {one.value: one.count for one in found.facets["severity"]}
    assert counts == {"high": 1, "medium": 2}
    for mode in ("hybrid", "semantic"):
        assert OTHER.title not in shown(ask(reader, "disk -quota", *near, mode=mode))
        within = shown(ask(reader, "disk category:network", *near, mode=mode))
        assert within == [OTHER.title]


def test_pages_show_each_hit_once(fill: Fill) -> None:
    """By offset and by cursor, in the same order as at once."""
    reader = fill(*ALL)
    near = (MEANT, BOTH, OTHER)
    whole = shown(ask(reader, "disk", *near))
    paged = [shown(ask(reader, "disk", *near, limit=1, offset=n))[0] for n in range(4)]
    reply = ask(reader, "disk", *near, limit=2)
    following = ask(reader, "disk", *near, limit=2, cursor=reply.next)
    assert paged == whole == shown(reply) + shown(following)
    assert following.next is None


def test_explained_by_places(fill: Fill) -> None:
    """The parts add up to the score: what each list gives its place."""
    reply = ask(fill(*ALL), "disk", BOTH, MEANT, explain=True)
    for hit in reply.hits:
        assert hit.explanation
        total = sum(part.score for part in hit.explanation.parts)
        assert round(total, 4) == hit.score
    assert reply.hits[0].explanation and len(reply.hits[0].explanation.parts) == 2


def test_a_list_that_counts_little_follows_the_words(fill: Fill) -> None:
    """What words found keeps its order and comes first; what is only near is added below, in a
    search by meaning alone as ever."""
    reader = fill(*ALL)
    words, near = titles(reader, "disk"), (MEANT, BOTH, OTHER)
    found = ask(reader, "disk", *near, weight=0.01)
    assert shown(found) == [*words, MEANT.title, OTHER.title]
    assert shown(ask(reader, "disk", *near, weight=1)) != shown(found)
    alone = ask(reader, "disk", *near, mode="semantic", weight=0.01)
    assert alone.hits == ask(reader, "disk", *near, mode="semantic").hits


def test_groups_and_sorts_take_both(fill: Fill) -> None:
    """Groups hold the near ones too; sorted by a value, both lists are one."""
    reader = fill(*ALL)
    groups = ask(reader, "disk", OTHER, group="category").groups
    assert {group.name: group.total for group in groups} == {"Storage": 2, "Network": 1}
    assert ask(reader, "disk", OTHER, sort="-updated").total == 3


def test_nothing_near_is_a_lexical_search(fill: Fill) -> None:
    """With the note that says why."""
    reader = fill(*ALL)
    reply = ask(reader, "disk", note="by words alone: EMBEDDING_UNAVAILABLE")
    assert shown(reply) == titles(reader, "disk")
    assert "by words alone" in reply.interpreted_as
