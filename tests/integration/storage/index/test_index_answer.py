"""The shape of an answer: filters, facets, sorts, groups, fields, explanations, highlights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.search import SearchHit, SearchQuery
from storage.index import groups
from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument, IndexWriter
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, at, days, entry, titles
from tests.integration.storage.index.test_index_reader import NAUGHTY

FACETS = "category,tag,severity,status,source,author,year"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """Five entries that differ in all that can be asked about."""
    jobs = {"category": "JCL", "within": ("Batch",)}
    entries = (
        entry(
            "job one",
            **jobs,
            tags=("Night", "DB2"),
            severity="high",
            source="Wiki",
            author="Ann",
            usage=5,
            success=9,
            failure=1,
            updated_at=days(1),
            created_at=days(-400),
            external_id="7",
        ),
        entry("job two", solution="restart", **jobs, tags=("night",), usage=7, updated_at=days(2)),
        entry("job three", category="Batch", usage=7, success=1, updated_at=days(3)),
        entry("job four", category="CICS", severity="low", source="wiki", updated_at=days(400)),
        entry("other", category="CICS", usage=9, failure=3),
    )
    yield from made(tmp_path_factory.mktemp("five"), entries)


def made(root: Path, entries: tuple[IndexDocument, ...]) -> Iterator[IndexReader]:
    """A reader of these entries, for as long as a module's tests run."""
    writer = IndexWriter.build_new(root)
    writer.apply(entries, ())
    writer.commit(at(1))
    yield IndexReader(root)
    writer.close()


def found(reader: IndexReader, q: str, **other: Any) -> dict[str, Any]:
    """The reply as it is."""
    reply: dict[str, Any] = orjson.loads(reader.search(SearchQuery(q=q, **other)))
    return reply


def counts(reader: IndexReader, name: str, q: str = "job", **other: Any) -> dict[str, int]:
    """One facet's values and counts."""
    facet = ask(reader, q, facets=name, **other).facets[name]
    return {one.name: one.count for one in facet}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": ("active",)}, {"job two"}),
        ({"source": ("WIKI",)}, {"job one", "job four"}),
        ({"author": ("ann",)}, {"job one"}),
        ({"year": (2027,)}, {"job four"}),
        ({"year": (2026, 2027)}, {"job one", "job two", "job three", "job four", "other"}),
        ({"usage_from": 6}, {"job two", "job three", "other"}),
        ({"usage_to": 5, "usage_from": 1}, {"job one"}),
        ({"usage_from": 9, "usage_to": 1}, set()),
        ({"updated_from": "2026-01-03", "updated_to": "2026-01"}, {"job two", "job three"}),
        ({"updated_to": "2026-01-02"}, {"job one", "other"}),
        ({"created_to": "2025"}, {"job one"}),
        ({"created_from": "2026-01-02T00:00:00"}, {"job two", "job three", "job four"}),
    ],
    # Not of the set: its order differs from process to process.
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_each_filter_narrows(
    reader: IndexReader, filters: dict[str, Any], expected: set[str]
) -> None:
    """A filter leaves what it says, with both ends of a range."""
    assert set(titles(reader, "", **filters)) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("tag:*", {"job one", "job two"}),
        ("-tag:*", {"job three", "job four", "other"}),
        ("tag:d*", {"job one"}),
        ("source:*", {"job one", "job four"}),
        ("source:* -author:*", {"job four"}),
        ("author:*", {"job one"}),
        ("job id:*", {"job one", "job two", "job three", "job four"}),
        ("job category:* -status:a*", {"job one", "job three", "job four"}),
        ("severity:* -severity:(high OR medium)", {"job four"}),
    ],
)
def test_a_star_is_any_value(reader: IndexReader, q: str, expected: set[str]) -> None:
    """Or any that begins so, be it with one letter; facets count the same entries."""
    reply = ask(reader, q, facets=FACETS, explain=True)
    assert {hit.title for hit in reply.hits} == expected
    assert reply.total == sum(one.count for one in reply.facets["severity"])
    assert "(" not in reply.interpreted_as.replace("(severity high or severity medium)", "")


def test_categories_are_counted_as_a_tree(reader: IndexReader) -> None:
    """A parent counts what is in its parts; names are shown as they are written."""
    tree = found(reader, "job", facets=["category"])["facets"]["category"]
    jcl = {"value": "jcl", "name": "JCL", "count": 2, "children": []}
    assert tree == [
        {"value": "batch", "name": "Batch", "count": 3, "children": [jcl]},
        {"value": "cics", "name": "CICS", "count": 1, "children": []},
    ]


def test_every_facet_is_counted(reader: IndexReader) -> None:
    """Values that differ in case are one, shown as some entry writes it."""
    assert counts(reader, "tag") in ({"Night": 2, "DB2": 1}, {"night": 2, "DB2": 1})
    assert counts(reader, "severity") == {"medium": 2, "high": 1, "low": 1}
    assert counts(reader, "status") == {"draft": 3, "active": 1}
    assert sum(counts(reader, "source").values()) == 2
    assert counts(reader, "author") == {"Ann": 1}
    assert counts(reader, "year") == {"2026": 3, "2027": 1}


def test_a_facet_ignores_its_own_filter_alone(reader: IndexReader) -> None:
    """Who has chosen a category sees the others' counts, and other facets narrowed by it."""
    chosen = {"category": ("cics",)}
    assert counts(reader, "category", **chosen) == {"Batch": 3, "CICS": 1}
    assert counts(reader, "severity", **chosen) == {"low": 1}
    assert counts(reader, "tag", tag=("night",), severity=("high",)) in (
        {"Night": 1, "DB2": 1},
        {"night": 1, "DB2": 1},
    )


def test_a_tag_counts_what_choosing_it_as_well_finds(reader: IndexReader) -> None:
    """An entry must have all tags; those that are chosen are shown first, whatever is found."""
    facet = ask(reader, "job", facets="tag", tag=("db2",)).facets["tag"]
    assert [(one.value, one.count) for one in facet] == [("db2", 1), ("night", 1)]
    for one in facet:
        assert ask(reader, "job", tag=("db2", one.value)).total == one.count
    assert counts(reader, "tag", tag=("night", "db2"), facet_limit=1) in (
        {"Night": 1, "DB2": 1},
        {"night": 1, "DB2": 1},
    )
    assert counts(reader, "tag", tag=("DB2", "nothing has it")) == {"DB2": 0, "nothing has it": 0}


def test_facets_show_the_most_frequent_first(reader: IndexReader) -> None:
    """`facet_limit` values at most, of a tree so many on each level."""
    assert counts(reader, "severity", facet_limit=1) == {"medium": 2}
    assert counts(reader, "category", "", facet_limit=1) == {"Batch": 3}


def test_facets_are_exact_over_many_segments(fill: Fill, writer: IndexWriter) -> None:
    """A value that is seldom in each part of the index, yet frequent in all, is counted whole."""
    for part in range(4):
        writer.apply([entry(f"p{part} {n}", tags=(f"t{n:03}", "all")) for n in range(150)], ())
        writer.commit(at(part))
    reader = fill()
    assert counts(reader, "tag", "", facet_limit=2) == {"all": 600, "t000": 4}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("updated", ["other", "job one", "job two", "job three", "job four"]),
        ("-updated", ["job four", "job three", "job two", "job one", "other"]),
        ("created", ["job one", "other", "job two", "job three", "job four"]),
        ("success_rate", ["other", "EQUAL", "EQUAL", "job three", "job one"]),
    ],
)
def test_each_sort_orders(reader: IndexReader, sort: str, expected: list[str]) -> None:
    """By dates and rates, in both directions."""
    shown = titles(reader, "", sort=sort)
    assert [
        one if want != "EQUAL" else want for one, want in zip(shown, expected, strict=True)
    ] == (expected)


def test_the_direction_can_be_said_apart(reader: IndexReader) -> None:
    """`order=desc` does what the minus does."""
    assert titles(reader, "", sort="usage", order="desc") == titles(reader, "", sort="-usage")
    assert titles(reader, "", sort="-usage")[0] == "other"


def test_sorted_hits_are_told_of_as_others(reader: IndexReader) -> None:
    """A sort changes the places, not by what a hit was found; boosts are left out of its score."""
    best = {hit.title: hit for hit in ask(reader, "job two", profile="text").hits}
    for hit in ask(reader, "job two", sort="updated").hits:
        assert hit.matched == best[hit.title].matched
        assert 0 < hit.score <= best[hit.title].score


def test_groups_hold_their_best_hits(reader: IndexReader) -> None:
    """The group with the best hit first, with its total, and with so many hits as are wanted."""
    reply = ask(reader, "job two", group="category", group_limit=1, facets="severity")
    assert [(group.name, group.total, group.hits[0].title) for group in reply.groups] == [
        ("JCL", 2, "job two"),
        *[(group.name, 1, group.hits[0].title) for group in reply.groups[1:]],
    ]
    assert {group.name for group in reply.groups} == {"JCL", "Batch", "CICS"}
    assert (reply.hits, reply.total) == ((), 4)
    assert reply.facets["severity"][0].count == 2


@pytest.mark.parametrize("name", ["category", "source", "author", "year"])
def test_the_group_of_the_best_hit_is_looked_into(fill: Fill, name: str) -> None:
    """However few entries it has where many groups have more; its total is its own."""

    def group(number: int) -> dict[str, Any]:
        return {name: f"G{number}"} if name != "year" else {"updated_at": days(366 * number)}

    many = [entry(f"words {n} {m}", **group(n)) for n in range(22) for m in range(3)]
    reader = fill(*many, entry("ZZT9901E the needed one", "words", **group(23)))
    shown = ask(reader, "ZZT9901E words", group=name, limit=100).groups
    assert (shown[0].hits[0].title, shown[0].total) == ("ZZT9901E the needed one", 1)
    assert len(shown) == 20


def test_the_group_of_the_best_hit_is_counted(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it is not among the many that are counted at once."""
    monkeypatch.setattr(groups, "VALUES_MAX", 21)
    many = [entry(f"words {n} {m}", source=f"s{n}") for n in range(22) for m in range(3)]
    ours = [entry("ZZT9901E the needed one", "words", source="ours"), entry("words", source="ours")]
    best = ask(fill(*many, *ours), "ZZT9901E words", group="source").groups[0]
    assert (best.value, best.total) == ("ours", 2)


def test_groups_are_paged(reader: IndexReader) -> None:
    """`limit` and `offset` count groups; a sort orders them and the hits in them."""
    newest = ask(reader, "", group="category", sort="-updated")
    assert [group.name for group in newest.groups] == ["CICS", "Batch", "JCL"]
    second = ask(reader, "", group="category", sort="-updated", limit=1, offset=1)
    assert second.groups == newest.groups[1:2]


def test_fields_are_chosen(reader: IndexReader) -> None:
    """A hit shows what was asked for, and its id always."""
    (only,) = found(reader, "other", fields=["id"])["hits"]
    assert list(only) == ["id"]
    first = found(reader, "one", fields=["title,solution", "source,external_id,author,score"])
    hit = first["hits"][0]
    assert hit.pop("id")
    assert hit.pop("score") > 0
    assert hit == {
        "title": "job one",
        "solution": "",
        "source": "Wiki",
        "external_id": "7",
        "author": "Ann",
    }
    (two,) = found(reader, "two", fields=["solution", "created_at"], highlight=True)["hits"]
    assert (two["solution"], two["created_at"]) == ("restart", "2026-01-03T00:00:00Z")


def test_without_options_a_reply_has_none_of_them(reader: IndexReader) -> None:
    """What was not asked for is left out."""
    reply = found(reader, "job")
    assert not {"facets", "groups"} & set(reply)
    assert set(reply["hits"][0]) == {
        *("id", "title", "category", "severity", "tags", "version", "updated_at"),
        *("score", "matched", "highlights"),
    }
    assert reply["took_ms"] > 0


EXPLAINED = [
    "restart failed job",
    "S0C4 restart",
    "restart restart job",
    '"job failed" restart',
    '"job fai"* failed^3',
    "rest* job",
    "resatrt~ job~1",
    "(restart OR S0C4) AND failed",
    "(restart^4 job)^2 title:job problem:restart",
    "-zebra night job",
    "category:other restart",
    "code:S0C4",
]


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """Entries that hold the same words in other fields."""
    entries = (
        entry("S0C4 restart of a failed job", "restart it", tags=("night job",)),
        entry("job failed", "job failed with S0C4 " * 3, "restart restarting " * 5),
        entry("failing", "jobs"),
    )
    yield from made(tmp_path_factory.mktemp("failures"), entries)


@pytest.mark.parametrize("q", EXPLAINED)
@pytest.mark.parametrize("sort", ["relevance", "updated"])
def test_an_explanation_adds_up(failures: IndexReader, q: str, sort: str) -> None:
    """The parts' scores are the hit's score, and each part names what it is for."""
    hits = ask(failures, q, explain=True, sort=sort).hits
    assert hits
    for hit in hits:
        assert hit.explanation
        parts = hit.explanation.parts
        assert sum(part.score for part in parts) == pytest.approx(hit.score, abs=1e-4)
        assert all(part.kind != "ranking" and part.text for part in parts)
        assert hit.explanation.text


def test_the_first_hundred_hits_are_explained(fill: Fill) -> None:
    """More of them, of many groups, would take longer than all the rest; the reply says so."""
    reader = fill(*[entry(f"words {n}", category=f"part{n % 6}") for n in range(120)])
    grouping: dict[str, Any] = {"group": "category", "group_limit": 20, "limit": 20}
    reply = ask(reader, "words", explain=True, **grouping)
    shown = [hit.explanation for group in reply.groups for hit in group.hits]
    assert (len(shown), shown[100:]) == (120, [None] * 20)
    assert all(shown[:100])
    assert "(the first 100 hits are explained)" in reply.interpreted_as
    assert "explained" not in ask(reader, "words", **grouping).interpreted_as
    few = ask(reader, "words", explain=True, **grouping | {"group_limit": 16})
    assert all(hit.explanation for group in few.groups for hit in group.hits)
    assert "explained" not in few.interpreted_as


def test_an_explanation_names_fields_and_boosts(fill: Fill) -> None:
    """Which word in which field, as it was typed, and how often it counts."""
    hit = explained(fill(entry("restart", "of jobs", tags=("jobs",))), "restarting jobs jobs")
    assert hit.explanation
    parts = {(part.text, part.field): part for part in hit.explanation.parts if part.kind == "word"}
    assert set(parts) == {("restarting", "title"), ("jobs", "problem"), ("jobs", "tags")}
    assert parts["jobs", "tags"].boost == 2
    assert parts["jobs", "problem"].score == pytest.approx(
        2 * parts["jobs", "tags"].score, abs=1e-3
    )
    assert "for word jobs in the problem, counted 2 times" in hit.explanation.text


def test_an_explanation_of_a_code(fill: Fill) -> None:
    """A code counts in the entry, in its title and at its beginning."""
    hit = explained(fill(entry("S0C4: protection")), "abend s0c4")
    assert hit.explanation
    codes = [part.field for part in hit.explanation.parts if part.kind == "code"]
    assert sorted(codes) == ["beginning of title", "code", "title"]


def explained(reader: IndexReader, q: str) -> SearchHit:
    """The best hit, explained."""
    return ask(reader, q, explain=True).hits[0]


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """Three entries that fit a search in more than one way."""
    entries = (
        entry("failed job", "S0C4", tags=("x",)),
        entry("job restart", tags=("x",)),
        entry("failed", tags=("x",)),
    )
    yield from made(tmp_path_factory.mktemp("tagged"), entries)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("", ["all", "all", "all"]),
        ("tag:x", ["all", "all", "all"]),
        ("S0C4 job", ["code", "words"]),
        ('"failed job"', ["phrase"]),
        ("fai*", ["words", "words"]),
        ("failde~", ["fuzzy", "fuzzy"]),
        ("job OR failde~", ["fuzzy", "words", "words"]),
        ('"failed job" OR restart', ["phrase", "words"]),
        ('"failed job" OR restrat~', ["fuzzy", "phrase"]),
    ],
)
def test_a_hit_says_by_what_it_was_found(tagged: IndexReader, q: str, expected: list[str]) -> None:
    """The surest of all that fits it."""
    assert sorted(hit.matched for hit in ask(tagged, q).hits) == expected


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """An entry with something to mark in each field."""
    texts = "All is Well all well", "a restraint on IGD17272I", "see ORA-00600 <b>"
    only = entry(*texts, tags=("night run", "Cafeteria"))
    yield from made(tmp_path_factory.mktemp("marked"), (only,))


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("night", {"tags": "<b>night</b> run"}),
        ("tag:cafe*", {"tags": "<b>Cafeteria</b>"}),
        ('tag:"night run"', {"tags": "<b>night run</b>"}),
        ("restra* ", {"problem": "a <b>restraint</b> on IGD17272I"}),
        ("restrian~2", {"problem": "a <b>restraint</b> on IGD17272I"}),
        ("igd17*", {"problem": "a restraint on <b>IGD17272I</b>"}),
        ('"all wel"*', {"title": "<b>All</b> is <b>Well</b> <b>all</b> <b>well</b>"}),
        ("ORA-0*", {"solution": "see <b>ORA-00600</b> &lt;b&gt;"}),
    ],
)
def test_every_field_that_matched_is_marked(
    marked: IndexReader, q: str, expected: dict[str, str]
) -> None:
    """Tags, patterns, beginnings and words with mistakes are marked too, as safe HTML."""
    assert ask(marked, q).hits[0].highlights == expected


@pytest.mark.parametrize("q", NAUGHTY, ids=range(len(NAUGHTY)))
def test_no_text_is_an_error_in_any_shape(marked: IndexReader, q: str) -> None:
    """Whatever is typed is explained, counted, sorted and grouped."""
    everything = {"facets": FACETS, "explain": True, "highlight": True}
    assert found(marked, q, **everything)["limit"] == 10
    assert found(marked, q, sort="-usage", **everything)["limit"] == 10
    assert found(marked, q, group="author", **everything)["limit"] == 10
    assert found(marked, q, cursor="", fields="id,problem,source", **everything)["limit"] == 10


def test_an_empty_index_answers_in_any_shape(fill: Fill) -> None:
    """Nothing is found, and nothing fails."""
    reader = fill()
    for q in ("", "job", "S0C7", "ab*"):
        for options in (
            {"facets": FACETS},
            {"group": "category"},
            {"sort": "usage"},
            {"cursor": ""},
        ):
            assert ask(reader, q, explain=True, **options).total == 0


@pytest.mark.parametrize(
    ("q", "text", "marked_as"),
    [
        ("80070005", "error 0x80070005 in it", "<b>0x80070005</b>"),
        ("FS35", "FILE STATUS 35", "<b>35</b>"),
        ("FILE STATUS 35", "got status 035 from FILE STATUS 035", "<b>035</b>"),
        ("U16", "user abend 16", "<b>16</b>"),
        ("S806", "ABEND 806-04", "<b>806</b>"),
        ("ora-00600", "ORA-600", "<b>600</b>"),
    ],
)
def test_a_code_is_marked_as_it_is_written(fill: Fill, q: str, text: str, marked_as: str) -> None:
    """Also where the entry has it in another form than the query."""
    (hit,) = ask(fill(entry("An entry", text)), q).hits
    assert hit.matched == "code"
    assert marked_as in hit.highlights["problem"]
