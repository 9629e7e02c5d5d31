"""Searches by people who don't know how it is written."""

from pathlib import Path

import pytest

from contracts.tuning import SearchTuning
from storage.index.forgive import Thesaurus, forgiving
from storage.index.grammar import Synonyms, leaves
from storage.index.parser import understand
from storage.index.synonyms import with_synonyms
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, days, entry, titles


@pytest.mark.parametrize("q", ["catalgo", "cataloge", "ctaalog", "Katalog catlog", "catalóg"])
def test_a_misspelt_word_finds(fill: Fill, q: str) -> None:
    """A word that no entry holds stands for the nearest one that some do."""
    reader = fill(entry("catalog is full"), entry("category missing"), entry("dialog"))
    assert titles(reader, q)[:1] == ["catalog is full"]


def test_the_reply_asks_what_was_meant(fill: Fill) -> None:
    """The query comes back with the word as entries spell it, and nothing else changed."""
    reader = fill(entry("Libraries missing"), entry("library missing"), entry("library gone"))
    reply = ask(reader, 'S0C7: the libary "is missing"')
    assert reply.did_you_mean == 'S0C7: the library "is missing"'
    assert "librari for libary" in reply.interpreted_as
    assert ask(reader, "library").did_you_mean is None


@pytest.mark.parametrize(
    ("q", "meant"),
    [
        ("abned", "abend"),  # its stem is that of a word of three letters
        ("utilizatoin", "utilization"),  # an ending that is none has no stem
        ("emulatr", "emulator"),
        ("installaitons", "installations"),
        ("converzion", "conversion"),
        ("catalgoed", "catalogs"),  # no entry has this ending: the stems are alike
    ],
)
def test_words_are_compared_as_they_are_written(fill: Fill, q: str, meant: str) -> None:
    """A mistake in what looks like an ending is a mistake like any other."""
    words = ("abend", "utilization", "emulator", "installations", "conversion", "catalogs")
    reader = fill(*map(entry, words))
    reply = ask(reader, q)
    assert ([hit.title for hit in reply.hits], reply.did_you_mean) == ([meant], meant)


def test_a_word_as_written_comes_first(fill: Fill) -> None:
    """Beside a word that is there, a guess counts less."""
    reader = fill(entry("storage group"), entry("allocation group"))
    assert titles(reader, "storage alocation")[0] == "storage group"


@pytest.mark.parametrize("q", ["S0C8", "-806", "ASRB", "NOTFMD", "U4039", "aeip", "IEF451I", "abc"])
def test_codes_and_names_are_never_guessed_at(fill: Fill, q: str) -> None:
    """The wrong abend is worse than none."""
    reader = fill(
        *(entry(code) for code in ("S0C7", "-805", "ASRA", "U4038", "AEIM", "IEF450I", "abd")),
        entry("NOTFND condition"),
    )
    reply = ask(reader, q)
    assert (reply.total, reply.did_you_mean) == (0, None)


@pytest.mark.parametrize(
    ("q", "meant"),
    [
        ("IEF45OI in payroll", "IEF450I in payroll"),
        ("1ef450i", "ief450i"),
        ("IEF450", "IEF450I"),
        ("code:IEF450", "code:IEF450I"),
        ("DFHAC2206I", "DFHAC2206"),
        ("HASP50", "HASP050"),
        ("0x8007005", "0x80070005"),
        ("SOC1", "S0C1"),
        ("S0C77 catalgo", "S0C7 catalog"),
    ],
)
def test_a_slip_in_a_code_is_asked_about(fill: Fill, q: str, meant: str) -> None:
    """A letter for a digit, a sign too few or too many; it is not searched for."""
    known = ("IEF450I", "DFHAC2206", "HASP050", "S0C1", "S0C7", "0x80070005", "SOC2 audit")
    reader = fill(*map(entry, known), entry("payroll catalog"))
    reply = ask(reader, q)
    assert reply.did_you_mean == meant
    assert {hit.title for hit in reply.hits} <= {"payroll catalog"}


@pytest.mark.parametrize(
    "q", ["SOC2", "S0C7 IEF450", "-IEF450 payroll", "IEF45", "IEF540I", "S0C2"]
)
def test_what_is_no_slip_is_not_asked_about(fill: Fill, q: str) -> None:
    """Words that entries hold, what stands beside a code that was found, and other codes."""
    reader = fill(*map(entry, ("IEF450I", "S0C1", "S0C7", "SOC2 audit", "payroll")))
    assert ask(reader, q).did_you_mean is None


@pytest.mark.parametrize(
    ("q", "meant"),
    [
        ("environnement", "environment"),
        ("+environnement", "+environment"),
        ("(environnement OR zap) AND list", "(environment OR zap) AND list"),
        ("title:environnement", "title:environment"),
        ('"the environnement list"', '"the environment list"'),
        ("+enviroment", "+environment"),
        ('"the enviroment list"', '"the environment list"'),
        ("list AND enviroment", "list AND environment"),
    ],
)
def test_what_entries_misspell_as_well(fill: Fill, q: str, meant: str) -> None:
    """Where hardly an entry has a word and far more have one like it, the reply asks, wherever the
    word stands; what is found is what was asked for."""
    reader = fill(entry("environnement"), *(entry(f"the environment list {n}") for n in range(30)))
    reply = ask(reader, q)
    assert reply.did_you_mean == meant
    assert [hit.title for hit in reply.hits] in ([], ["environnement"])


@pytest.mark.parametrize("q", ["LIBARY", "code:libary", "-libary list", "libary1", "library"])
def test_nothing_is_asked_about(fill: Fill, q: str) -> None:
    """Codes, names, what is refused and words that many entries hold."""
    reader = fill(entry("libary"), *(entry(f"the library list {n}") for n in range(30)))
    assert ask(reader, q).did_you_mean is None


def mean(root: Path, word: str, *same_as: str, category: str = "") -> None:
    """Publish one set of synonyms for the index in `root`."""
    same = {"word": word, "same_as": same_as, "category": category, "updated_at": days(0)}
    tuning = SearchTuning.model_validate({"version": 1, "synonyms": [same]})
    (root / "tuning.json").write_text(tuning.model_dump_json())


def test_synonyms_find(fill: Fill, root: Path) -> None:
    """What means the same is found, below what was written; phrases stay phrases."""
    reader = fill(
        entry("dsn of the job"), entry("data set of the job"), entry("a set of data"), entry("zap")
    )
    mean(root, "dsn", "data set", "dataset")
    assert titles(reader, "dsn") == ["dsn of the job", "data set of the job"]
    assert set(titles(reader, "dataset gone")) == {"dsn of the job", "data set of the job"}
    assert "dsn of the job" in titles(reader, "data sets")
    assert "data set or dataset for dsn" in ask(reader, "dsn").interpreted_as


def test_synonyms_of_a_category(fill: Fill, root: Path) -> None:
    """A meaning that holds in one category finds nothing elsewhere."""
    reader = fill(
        entry("package one", category="Bind", within=("db2",)), entry("package two", category="HR")
    )
    mean(root, "dbrm", "package", category="DB2")
    assert titles(reader, "dbrm") == ["package one"]


@pytest.mark.parametrize(
    "q", ["oom AND java", "+oom +java", "(oom OR nothing) AND java", "java AND oom^2"]
)
def test_a_required_word_may_be_said_otherwise(fill: Fill, root: Path, q: str) -> None:
    """What AND and + demand is there in any of its ways; the reply says so."""
    reader = fill(entry("java out of memory"), entry("java"), entry("c oom"))
    mean(root, "oom", "out of memory")
    assert titles(reader, q) == ["java out of memory"]
    assert "out of memori for oom" in ask(reader, q).interpreted_as


def test_what_is_excluded_quoted_or_in_a_field_is_meant_as_it_is_written(
    fill: Fill, root: Path
) -> None:
    """Synonyms find more; there they would find less, or what was not said."""
    reader = fill(entry("java out of memory"), entry("java"), entry("java oom"))
    mean(root, "oom", "out of memory")
    assert set(titles(reader, "java -oom")) == {"java out of memory", "java"}
    assert titles(reader, "title:oom") == titles(reader, '"java oom"') == ["java oom"]


def test_a_synonym_that_is_a_code_is_searched_as_one(fill: Fill, root: Path) -> None:
    """However entries write it, and before all words; in its category alone, if it has one."""
    reader = fill(
        entry("payroll ABEND=0C7"), entry("datex report, datex"), entry("payroll", category="HR")
    )
    mean(root, "datex", "s0c7")
    reply = ask(reader, "datex report")
    assert [hit.matched for hit in reply.hits] == ["code", "words"]
    assert reply.hits[0].title == "payroll ABEND=0C7"
    assert titles(reader, "datex AND payroll") == ["payroll ABEND=0C7"]
    assert set(titles(reader, "s0c7 AND report")) == {"datex report, datex"}
    mean(root, "datex", "s0c7", category="HR")
    assert titles(reader, "datex") == ["datex report, datex"]
    mean(root, "datex", "s0c7", category="other")
    assert titles(reader, "datex report") == ["datex report, datex", "payroll ABEND=0C7"]


def test_a_thesaurus_is_bounded() -> None:
    """A text full of synonyms stays a small query."""
    thesaurus = Thesaurus([("", [f"word{n}", f"other{n}"]) for n in range(100)])
    asked = understand(" ".join(f"word{n}" for n in range(40)))
    found = forgiving(asked, lambda _: False, lambda _: [], thesaurus).root.wanted
    assert len([node for node in found if isinstance(node, Synonyms)]) == 16
    asked = with_synonyms(understand(f"({' AND '.join(f'word{n}' for n in range(20))})"), thesaurus)
    assert len([leaf for leaf in leaves(asked.root) if isinstance(leaf, Synonyms)]) == 16


@pytest.mark.parametrize(
    ("q", "meant"),
    [
        ("category:mainfram", "category:mainframe"),
        ("Category:mainframe/db3 lock", "Category:mainframe/db2 lock"),
        ('category:"job schedulling"', 'category:"job scheduling"'),
        ("tag:payrol tag:nightly", "tag:payroll tag:nightly"),
        ("lock severity:hihg", "lock severity:high"),
        ("status:actve", "status:active"),
        (
            "lock AND (category:mainfram OR tag:nightly)",
            "lock AND (category:mainframe OR tag:nightly)",
        ),
        ("category:mainframe tag:payroll", None),
        ("category:MAINFRAME", None),
        ("category:network", None),
        ("category:mainfra*", None),
        ("tag:pay", None),
        ("severity:low", None),
        ("subcategory:mainfram", None),
    ],
)
def test_a_misspelt_value_of_a_field_is_asked_about(fill: Fill, q: str, meant: str | None) -> None:
    """By the values that entries have; one that some entry has is meant as it is written."""
    reader = fill(
        entry("lock", category="Mainframe/DB2", within=("Mainframe",), tags=("payroll", "nightly")),
        entry("late", category="Job scheduling", severity="high"),
    )
    assert ask(reader, q).did_you_mean == meant


@pytest.mark.parametrize(
    "q",
    ["2026-11-22 03:11:02 a libary", "libary\nlist", "libary list of: 10.1.2.3", "libary " * 60],
)
def test_nothing_is_guessed_at_in_a_pasted_text(fill: Fill, q: str) -> None:
    """Programs spell well: a word that no entry holds is a name there."""
    reader = fill(entry("the library"), *(entry(f"the list {n}") for n in range(3)))
    reply = ask(reader, q)
    assert reply.did_you_mean is None
    assert "the library" not in {hit.title for hit in reply.hits}
    assert "for libary" not in reply.interpreted_as
    assert ask(reader, "libary list").did_you_mean == "library list"
