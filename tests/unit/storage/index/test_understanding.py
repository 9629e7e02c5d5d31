"""What a query is understood as."""

import pytest

from contracts.search import QUERY_MAX
from storage.index import query
from storage.index.query import Understood, understand

NAUGHTY = [
    "\0",
    "a\0b",
    "\ud800",
    "S0C7 \udfff",
    "\u202eesrever\u202c",
    "😀👩\u200d👩\u200d👧 🏴",
    "(" * 20_000,
    "(a " * 7_000 + ")" * 7_000,
    '"' * 20_000,
    '"a" ' * 5_000,
    "-" * 20_000,
    "-a " * 7_000,
    "x" * 1_000_000,
    "x " * 500_000,
    "STEP01:SYSIN",
    "a && !b || c AND OR NOT",
    "title:[a TO z} ^2 ~3 \\ / * ? S0C*",
    "' OR 1=1 --",
    "İ ß ﬁ Å",
    "\n\t\r\v",
]


def test_words_are_counted_stems_without_stop_words() -> None:
    """Words are reduced to stems, those that tell nothing are left out, repeats are counted."""
    assert understand("the jobs of the failing job").words == (("job", 2), ("fail", 1))


def test_a_phrase_keeps_all_its_words() -> None:
    """Words in quotes belong together, stop words too, and are no single words any more."""
    asked = understand('restart "not in catalog" step')
    assert asked.phrases == (("not", "in", "catalog"),)
    assert asked.words == (("restart", 1), ("step", 1))


def test_curly_quotes_are_quotes() -> None:
    """Quotes that a word processor made are read as quotes."""
    assert understand("“data set”").phrases == (("data", "set"),)


def test_an_unclosed_quote_is_plain() -> None:
    """Without its end a quote means nothing."""
    asked = understand('"data set')
    assert (asked.phrases, asked.words) == ((), (("data", 1), ("set", 1)))


def test_a_minus_before_letters_excludes() -> None:
    """`-word` is what must not be there."""
    asked = understand("abend -testing")
    assert (asked.words, asked.excluded) == ((("abend", 1),), ("test",))


@pytest.mark.parametrize("q", ["-805", "SQLCODE -805", "-911 deadlock", "kill -9", "x -S0C7"])
def test_a_minus_before_digits_never_excludes(q: str) -> None:
    """`-805` is a code."""
    asked = understand(q)
    assert asked.excluded == ()
    assert asked.codes


def test_pasted_options_do_not_exclude() -> None:
    """One letter after a minus is an option of some command."""
    assert understand("grep -v name data-set").excluded == ()


def test_only_stop_words_are_what_is_meant() -> None:
    """A query of nothing but stop words searches them."""
    assert understand("to be or not").words == (("to", 1), ("be", 1), ("or", 1), ("not", 1))


@pytest.mark.parametrize("q", ["", "   ", "!!! ???", '""'])
def test_nothing_readable_means_everything(q: str) -> None:
    """Without a word, code or phrase every entry is as good as another."""
    assert understand(q) == Understood()
    assert understand(q).interpreted_as == "everything, newest first"


def test_the_understanding_is_told() -> None:
    """A person can read what was searched."""
    told = understand('S0C7 "data set" jobs -test').interpreted_as
    assert told == 'code s0c7; phrase "data set"; words s0c7 job; without test'


@pytest.mark.parametrize("q", NAUGHTY, ids=range(len(NAUGHTY)))
def test_no_text_is_an_error(q: str) -> None:
    """Whatever is typed is understood, within the bounds."""
    asked = understand(q)
    assert len(asked.codes) <= query.CODES_MAX
    assert len(asked.phrases) <= query.PHRASES_MAX
    assert all(len(phrase) <= query.PHRASE_WORDS_MAX for phrase in asked.phrases)
    assert len(asked.words) <= QUERY_MAX
    assert len(asked.excluded) <= query.EXCLUDED_MAX
    assert len(asked.interpreted_as) <= query.SHOWN_MAX


def test_a_code_outweighs_any_number_of_words() -> None:
    """The score of a code grows with what the words of the same query could reach."""
    long = understand(" ".join(f"word{n} word{n}" for n in range(100)))
    assert long.code_score > 64 * 2 * 2.2 * 22
