"""The order of hits in a real index: what each weight moves, and what it leaves."""

from datetime import UTC, datetime

import pytest

from storage.index.ranking import WINDOW
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, entry, titles

MANY = [entry(f"filler {n}", f"nothing about it {n}") for n in range(60)]


def test_a_title_that_says_it_all_is_first(fill: Fill) -> None:
    """Of two titles that hold all words the one with no others is first."""
    reader = fill(
        entry("catalog entry lost beside other things that went wrong", "gone"),
        entry("catalog entry lost", "gone, and other things that went wrong beside it"),
        *MANY,
    )
    assert titles(reader, "lost catalog entry")[0] == "catalog entry lost"


def test_words_as_written_are_before_their_other_forms(fill: Fill) -> None:
    """The stem finds both; who asks for `locked` means it."""
    reader = fill(entry("one", "the locks held"), entry("two", "the locked held"), *MANY)
    assert titles(reader, "locked") == ["two", "one"]
    assert titles(reader, "locks") == ["one", "two"]


def test_words_side_by_side_are_before_words_apart(fill: Fill) -> None:
    """The same words count for more where they stand as in the query."""
    reader = fill(
        entry("one", "space left on the data of another set"),
        entry("two", "left on the data set of another space"),
        *MANY,
    )
    assert titles(reader, "data set")[0] == "two"
    assert titles(reader, "set space")[0] != "two"


@pytest.mark.parametrize(
    ("better", "profile"),
    [
        ({"usage": 500}, "default"),
        ({"success": 9, "failure": 1}, "default"),
        ({"updated_at": datetime.now(UTC)}, "default"),
        ({"updated_at": datetime.now(UTC), "usage": 0}, "fresh"),
        ({"usage": 500, "success": 3}, "proven"),
    ],
)
def test_records_decide_between_equals(fill: Fill, better: dict[str, object], profile: str) -> None:
    """Of two entries with the same words the better kept one is first; `text` looks at words."""
    old = datetime(2020, 1, 1, tzinfo=UTC)
    one = entry("job failed", "x", id="1" * 32, updated_at=old)
    other = entry("job failed", "x", id="2" * 32, **{"updated_at": old, **better})
    reader = fill(one, other, *MANY)
    first, second = ask(reader, "job failed", profile=profile).hits
    assert (first.id.hex, second.id.hex) == ("2" * 32, "1" * 32)
    assert first.score > second.score
    first, second = ask(reader, "job failed", profile="text").hits
    assert first.score == second.score


def test_small_boosts_leave_a_better_answer_first(fill: Fill) -> None:
    """Use, success and age together do not lift what holds but a third of the words."""
    reader = fill(
        entry("catalog entry lost", updated_at=datetime(2020, 1, 1, tzinfo=UTC), failure=3),
        entry("catalog moved", usage=5_000, success=900, updated_at=datetime.now(UTC)),
        *MANY,
    )
    assert titles(reader, "catalog entry lost")[0] == "catalog entry lost"


def test_no_boost_passes_a_code(fill: Fill) -> None:
    """What holds the code is before what is used most and has all the other words in its title."""
    reader = fill(
        entry("cobol program failed move", usage=9_999, success=999, updated_at=datetime.now(UTC)),
        entry("something else", "S0C7"),
        entry("S0C7", "x"),
        *MANY,
    )
    for profile in ("default", "fresh", "proven"):
        found = titles(reader, "S0C7 cobol program failed move", profile=profile)
        assert found[:3] == ["S0C7", "something else", "cobol program failed move"]


@pytest.mark.parametrize(
    "line",
    ["IEC141I 013-18,IGG0191B,PAYR010,STEP1,SYSUT1", "DSNT500I UNAVAILABLE CORRELATION-ID=PAYR010"],
)
def test_the_name_of_a_job_does_not_pass_what_happened(fill: Fill, line: str) -> None:
    """Another trouble of the same job is not what a message tells of."""
    reader = fill(
        entry("PAYR010 runs late"),
        entry("Payroll", "job PAYR010"),
        entry("Data set could not be opened", "S013"),
        entry("Resource unavailable", "DSNT500I"),
        *(entry(f"report {number}", "S013 DSNT500I") for number in range(3)),
    )
    assert "payr010" in ask(reader, line).interpreted_as
    assert {"PAYR010 runs late", "Payroll"}.isdisjoint(titles(reader, line)[:4])
    assert titles(reader, "PAYR010 FAILED")[0] == "PAYR010 runs late"


def test_the_telling_word_of_a_pasted_line_passes_its_numbers(fill: Fill) -> None:
    """Which stand in every release's notes, also in titles."""
    others = [entry(f"release 12.{n}", "0 1 2 12 40") for n in range(12)]
    reader = fill(*others, entry("checks 0 1 12"), entry("Pods restart", "CrashLoopBackOff"))
    line = "orders-x2vbn 0/1 CrashLoopBackOff 12 (2m ago) 40m"
    assert titles(reader, line)[0] == "Pods restart"
    assert "numbers and times were left out" in ask(reader, line).interpreted_as


def test_pages_fit_together(fill: Fill) -> None:
    """Hits come once each, with falling scores, in the window that is rescored and beyond."""
    reader = fill(*[entry(f"job {n}", "failed " * (n % 7), usage=n * 7 % 50) for n in range(250)])
    pages = [ask(reader, "job failed", limit=50, offset=offset) for offset in range(0, 250, 50)]
    hits = [hit for page in pages for hit in page.hits]
    assert len({hit.id for hit in hits}) == 250 > WINDOW
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.id for hit in ask(reader, "job failed", limit=30, offset=185).hits] == [
        hit.id for hit in hits[185:215]
    ]


@pytest.mark.parametrize("q", ["certif*", "certif* AND expir*", "cert?ficate vpn*", "+certif*"])
def test_a_pattern_counts_twice_in_a_title(fill: Fill, q: str) -> None:
    """What is about it stands before what mentions it, however often; both are found."""
    mentions = [
        entry(f"tool {n}", "certificate expiry, certification: expired vpn") for n in range(9)
    ]
    reader = fill(*mentions, entry("VPN: certificate has expired"))
    reply = ask(reader, q, profile="text", explain=True)
    assert reply.total == 10
    assert reply.hits[0].title == "VPN: certificate has expired"
    first = reply.hits[0].explanation
    assert first and {part.score for part in first.parts} == {2.0}
    assert "in the title" in first.text


def test_a_pattern_of_codes_counts_twice_in_a_title(fill: Fill) -> None:
    """However the code is written there."""
    title = "ORA600 in it"
    reader = fill(*[entry(f"job {n}", "ORA-00600, ORA-00604") for n in range(9)], entry(title))
    assert titles(reader, "ORA-006*", profile="text")[0] == title
