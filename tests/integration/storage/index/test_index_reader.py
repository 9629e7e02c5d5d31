"""Searches in a real index: what is found, in which order, and how it is shown."""

from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts.errors import IndexBehind, IndexUnavailable
from contracts.search import SearchQuery
from storage.index.searcher import IndexReader
from storage.index.writer import IndexWriter
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, at, days, entry, titles

NAUGHTY = [
    "\0",
    "S0C7\0",
    "\ud800 lone",
    "\u202eesrever\u202c",
    "😀👩\u200d👩\u200d👧",
    "(" * 20_000,
    '"' * 20_000,
    '"a b" ' * 3_000,
    "-ab " * 5_000,
    "x" * 20_000,
    " ".join(f"word{n}" for n in range(2_500)),
    "STEP01:SYSIN",
    "a && !b || title:[a TO z} S0C*",
]


def test_a_word_in_the_title_counts_most(fill: Fill) -> None:
    """The same word ranks by the field it is in."""
    reader = fill(
        entry("one", tags=("catalog", "here")),
        entry("two", "some catalog", "more here"),
        entry("three catalog", "some", "more here"),
    )
    assert titles(reader, "catalogs") == ["three catalog", "two", "one"]


def test_more_words_rank_higher(fill: Fill) -> None:
    """Any word finds, and more of them find better."""
    reader = fill(entry("job failed"), entry("job restart failed"), entry("restart"), entry("else"))
    assert titles(reader, "restart failed job")[0] == "job restart failed"
    assert ask(reader, "restart failed job").total == 3


def test_repeated_words_count_more(fill: Fill) -> None:
    """Of two words the one that is said twice decides."""
    reader = fill(entry("alpha one"), entry("gamma one"))
    assert titles(reader, "alpha gamma gamma")[0] == "gamma one"
    assert titles(reader, "alpha alpha gamma")[0] == "alpha one"


@pytest.mark.parametrize("q", ["S0C7", "s0c7", "0C7", "ABEND=S0C7", "S0C7 protection exception"])
def test_an_exact_code_comes_first(fill: Fill, q: str) -> None:
    """The code that was asked for comes before words: in the title, then in the text."""
    reader = fill(
        entry("S0C4 protection exception", "protection exception " * 20),
        entry("S0C1 operation exception", "protection exception S0C4"),
        entry("Packed fields", "a long story of an exception that ended as S0C7 at night " * 3),
        entry("S0C7", "numbers"),
    )
    reply = ask(reader, q)
    assert [hit.title for hit in reply.hits][:2] == ["S0C7", "Packed fields"]
    assert [hit.matched for hit in reply.hits][:2] == ["code", "code"]
    assert all(hit.matched == "words" for hit in reply.hits[2:])


def test_a_code_outranks_every_word_together(fill: Fill) -> None:
    """Sixty words that match in the title do not outweigh one code in the text."""
    words = [f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(60)]
    reader = fill(
        *(entry(f"filler {n}") for n in range(50)),
        entry(" ".join(words)[:250], " ".join(words), " ".join(words)),
        entry("a note", "ended with U4038"),
    )
    assert titles(reader, "U4038 " + " ".join(words + words))[0] == "a note"


def test_a_pasted_log_is_answered_by_its_code(fill: Fill) -> None:
    """However many names that look like codes come before it."""
    reader = fill(
        entry("S0C7 data exception"),
        *(entry(f"HASP{n:03} message of the system", "STEP000 started") for n in range(40)),
    )
    log = "\n".join(f"STEP{n:03} JOB{n:05} HASP{n:03} STARTED" for n in range(90))
    reply = ask(reader, f"{log}\nPAYROLL STEP030 - ABEND=S0C7 U0000\n{log}")
    assert (reply.hits[0].title, reply.hits[0].matched) == ("S0C7 data exception", "code")
    assert "of 42 codes in it the 32 rarest" in reply.interpreted_as


def test_a_title_that_begins_with_the_code_comes_first(fill: Fill) -> None:
    """Of two titles with the code, the one that is about it wins, though the other has it twice."""
    reader = fill(
        entry("ASRA: program check (S0C4, now and then S0C4 again)", "S0C4 " * 9),
        entry("S0C4: protection exception while something else was going on in the step"),
    )
    assert titles(reader, "S0C4")[0].startswith("S0C4")


@pytest.mark.parametrize("q", ["-805", "SQLCODE -805", "SQLCODE=-805", "sqlcode 805"])
def test_a_negative_code_is_found_not_excluded(fill: Fill, q: str) -> None:
    """`-805` finds what holds it, first."""
    reader = fill(
        entry("SQLCODE -804"),
        entry("SQLCODE -805"),
        entry("Plan without 805"),
        entry("SQLCODE -811"),
    )
    assert titles(reader, q)[0] == "SQLCODE -805"


def test_a_file_status_is_a_code(fill: Fill) -> None:
    """A number is a code after the words that make it one."""
    reader = fill(entry("FILE STATUS 37"), entry("35 files"), entry("FILE STATUS 35"))
    assert titles(reader, "status 35")[0] == "FILE STATUS 35"
    assert ask(reader, "file status = '35'").hits[0].matched == "code"


def test_letter_codes_are_words(fill: Fill) -> None:
    """Codes without a digit are found as words, by the title before the text."""
    reader = fill(entry("AICA", "after ASRA"), entry("ASRA"), entry("APCT"))
    assert titles(reader, "asra") == ["ASRA", "AICA"]


def test_a_phrase_must_be_adjacent(fill: Fill) -> None:
    """Quoted words are found next to each other only, not over the end of a field."""
    reader = fill(
        entry("data set missing"),
        entry("data in a set"),
        entry("all data", "set apart"),
        entry("not in catalog"),
    )
    assert titles(reader, '"data sets"') == ["data set missing"]
    assert titles(reader, '"not in catalog"') == ["not in catalog"]
    assert titles(reader, '"in the catalog"') == []


@pytest.mark.parametrize(
    "where",
    [
        {"title": "The job failed"},
        {"problem": "The job failed."},
        {"solution": "If the job failed, run it again."},
        {"tags": ("a job failed",)},
    ],
    ids=["title", "problem", "solution", "tags"],
)
def test_a_phrase_is_found_in_every_text(fill: Fill, where: dict[str, Any]) -> None:
    """Each text is an index of its own for phrases; none runs from one text into the next."""
    reader = fill(entry(**{"title": "It", **where}), entry("A job", "failed"))
    for q in ('"job failed"', '"job fail"*'):
        assert titles(reader, q) == [where.get("title", "It")]


def test_words_beside_a_phrase_only_rank(fill: Fill) -> None:
    """With a phrase, single words may be missing."""
    reader = fill(entry("data set"), entry("data set missing"), entry("missing"))
    assert titles(reader, 'missing "data set"') == ["data set missing", "data set"]


def test_a_name_in_quotes_in_a_message_throws_nothing_out(fill: Fill) -> None:
    """What holds the message is first, though others hold the name."""
    reader = fill(entry("FATAL sorry, too many clients already"), entry("the server db"))
    q = 'connection to server at "db" failed: FATAL:  sorry, too many clients already'
    assert titles(reader, q)[0] == "FATAL sorry, too many clients already"


def test_an_excluded_word_is_not_found(fill: Fill) -> None:
    """A minus before a word leaves out what holds it, alone too."""
    reader = fill(entry("job failed"), entry("job failed in testing"), entry("else"))
    assert titles(reader, "job -test") == ["job failed"]
    assert sorted(titles(reader, "-jobs")) == ["else"]


def test_stop_words_alone_are_searched(fill: Fill) -> None:
    """A query of stop words finds what holds them."""
    reader = fill(entry("to be or not to be"), entry("something else"))
    assert titles(reader, "not to be") == ["to be or not to be"]


def test_an_empty_query_is_everything_newest_first(fill: Fill) -> None:
    """Without a query all entries come, by their last change."""
    reader = fill(
        entry("middle", updated_at=days(2)),
        entry("oldest", updated_at=days(-9_999)),
        entry("newest", updated_at=days(3)),
    )
    reply = ask(reader)
    assert [hit.title for hit in reply.hits] == ["newest", "middle", "oldest"]
    assert reply.total == 3
    assert {(hit.matched, hit.score) for hit in reply.hits} == {("all", 0.0)}


def test_filters_narrow(fill: Fill) -> None:
    """One of the categories, one of the severities, all of the tags, in any case of letters."""
    reader = fill(
        entry("a job", category="Batch", severity="high", tags=("Night", "db2")),
        entry("b job", category="CICS", severity="low", tags=("night",)),
        entry("c job", category="VSAM", severity="high"),
    )
    assert titles(reader, "job", category=["batch"]) == ["a job"]
    assert sorted(titles(reader, "job", category=["BATCH", "cics"])) == ["a job", "b job"]
    assert sorted(titles(reader, severity=["high"])) == ["a job", "c job"]
    assert sorted(titles(reader, tag=["NIGHT"])) == ["a job", "b job"]
    assert titles(reader, tag=["night", "DB2"]) == ["a job"]
    assert titles(reader, "job", category=["vsam"], severity=["low"]) == []


def test_filters_do_not_touch_the_score(fill: Fill) -> None:
    """An entry scores the same with and without filters."""
    reader = fill(entry("a job", category="Batch"), entry("b job"))
    plain = {hit.title: hit.score for hit in ask(reader, "job").hits}
    assert ask(reader, "job", category=["batch"]).hits[0].score == plain["a job"]


def test_pages_follow_each_other(fill: Fill) -> None:
    """Limit and offset cut pages from one order, whose total stays."""
    reader = fill(*(entry(f"job {n}", updated_at=days(n)) for n in range(25)))
    pages = [ask(reader, "", limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [len(page.hits) for page in pages] == [10, 10, 5, 0]
    assert {page.total for page in pages} == {25}
    assert len({hit.id for page in pages for hit in page.hits}) == 25


def test_a_hit_shows_the_entry(fill: Fill) -> None:
    """A hit carries what the entry had, untouched."""
    made = entry("Ünïcode <b>", category="CICS", severity="critical", tags=("A", "b c"), version=7)
    hit = ask(fill(made), "unicode").hits[0]
    assert (hit.title, hit.category, hit.severity, hit.tags) == (
        *("Ünïcode <b>", "CICS", "critical"),
        ("A", "b c"),
    )
    assert (str(hit.id), hit.version, hit.updated_at) == (made.id, 7, made.updated_at)


def test_highlights_only_when_asked(fill: Fill) -> None:
    """Pieces with the found words come for the fields that hold them, if wanted."""
    reader = fill(entry("Restart", "the <job> restarted", "nothing"))
    shown = ask(reader, "restarting").hits[0].highlights
    assert shown == {"title": "<b>Restart</b>", "problem": "the &lt;job&gt; <b>restarted</b>"}
    assert ask(reader, "restarting", highlight=False).hits[0].highlights == {}


@pytest.mark.parametrize("q", NAUGHTY, ids=range(len(NAUGHTY)))
def test_no_text_is_an_error(fill: Fill, q: str) -> None:
    """Whatever is typed is answered."""
    reader = fill(entry("S0C7 word1 a b"), entry("word2"))
    request = SearchQuery.model_construct(q=q, limit=10, offset=0, highlight=True, after=None)
    assert orjson.loads(reader.search(request))["limit"] == 10


def test_naughty_entries_are_kept(fill: Fill) -> None:
    """Entries with odd characters are indexed and shown."""
    reader = fill(entry("\ud800 lone", "x" * 100_000), entry("long " + "y" * 200, "日本語 😀"))
    assert titles(reader, "lone") == ["? lone"]
    assert titles(reader, "日本語") == ["long " + "y" * 200]
    assert titles(reader, "y" * 200) == ["long " + "y" * 200]


def test_without_an_index_searches_are_refused(root: Path) -> None:
    """Before the first build there is nothing to answer from."""
    reader = IndexReader(root)
    assert reader.published() is None
    with pytest.raises(IndexUnavailable):
        ask(reader)


def test_a_position_that_is_not_reached(fill: Fill, writer: IndexWriter) -> None:
    """A search that asks for a later position is refused until the index is there."""
    reader = fill(entry("first"))
    assert titles(reader, after=str(at(1))) == ["first"]
    with pytest.raises(IndexBehind) as refused:
        ask(reader, after=str(at(2)))
    assert refused.value.details == {"position": str(at(1))}
    writer.commit(at(2))
    assert ask(reader, after=str(at(2))).position == str(at(2))


def test_a_position_of_another_epoch(fill: Fill) -> None:
    """A position of another history of the database is never reached."""
    reader = fill(entry("first"))
    with pytest.raises(IndexBehind):
        ask(reader, after=str(at(0, "other")))


def test_the_position_is_no_entry(fill: Fill, writer: IndexWriter) -> None:
    """The document that keeps the position is found by nothing and counted nowhere."""
    reader = fill(entry("entry position"))
    writer.commit(at(2))
    for q in ("", "position", "-zzz", "entry"):
        assert ask(reader, q).total == 1
    published = reader.published()
    assert published is not None
    assert published.documents == 1
    assert len(list(reader.ids_and_versions())) == 1


def test_every_id_and_version(fill: Fill, writer: IndexWriter) -> None:
    """Verifying sees each entry once, with its version, and none that was deleted."""
    entries = [entry(f"entry {n}", version=n + 1) for n in range(600)]
    reader = fill(*entries)
    writer.apply([entries[0]._replace(version=99)], [entries[1].id])
    writer.commit(at(2))
    found = list(reader.ids_and_versions())
    expected = {made.id: made.version for made in entries} | {entries[0].id: 99}
    del expected[entries[1].id]
    assert len(found) == 599
    assert dict(found) == expected
    assert all(UUID(key) for key, _ in found)
