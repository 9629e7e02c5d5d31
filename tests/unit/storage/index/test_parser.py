"""What a query is understood as."""

from datetime import UTC, datetime

import pytest

from contracts.search import QUERY_MAX
from storage.index import parser
from storage.index.build import code_score
from storage.index.grammar import (
    Boosted,
    Fuzzy,
    Group,
    Keyword,
    Node,
    Pattern,
    Phrase,
    Range,
    Understood,
    Words,
    leaves,
)
from storage.index.parser import understand
from storage.index.plain import PHRASE_WORDS_MAX, relaxed
from storage.index.rarest import CODES_MAX, rarest
from storage.index.schema import microseconds
from storage.index.told import SHOWN_MAX, told
from storage.index.weights import PIN_SCORE

NAUGHTY = [
    "\0",
    "a\0b",
    "\ud800",
    "S0C7 \udfff",
    "\u202eesrever\u202c",
    "😀👩\u200d👩\u200d👧 🏴",
    "(" * 20_000,
    "(" * 300 + "a" + ")" * 99,
    "(a " * 7_000 + ")" * 7_000,
    '"' * 20_000,
    '"a" ' * 5_000,
    '"a" ' * 99,
    "-" * 20_000,
    "-a " * 7_000,
    "-ab " * 99,
    "ab* " * 99,
    "abc~ " * 79,
    "x" * 1_000_000,
    "x " * 500_000,
    "STEP01:SYSIN",
    "a && !b || c AND OR NOT",
    "title:[a TO z} ^2 ~3 \\ / * ? S0C*",
    "' OR 1=1 --",
    'title: tag:( usage:.. updated:[ TO ] code:* id:"',
    "usage:99999999999999999999999999..* updated:>9999-12-31 updated:0000 updated:²",
    "İ ß ﬁ Å",
    "\n\t\r\v",
    f"title:({'ab ' * 99})",
    "tag:(" * 30 + "a" + ")" * 30,
    "tag:(title:(a AND -b) OR NOT usage:(x 5)) tag:(AND) tag:(-)",
    "^9 ~ ~1 word~9 * ** *a ?b a^ a^0 a^999999",
]


DAY_LONG = 86_400_000_000  # microseconds


def words(*stems: str) -> Words:
    """Plain words, each written once."""
    return Words(tuple((stem, 1) for stem in stems))


def wanted(q: str) -> tuple[Node, ...]:
    """What makes an entry better."""
    return understand(q).root.wanted


def required(q: str) -> tuple[Node, ...]:
    """What an entry must hold."""
    return understand(q).root.required


def excluded(q: str) -> tuple[Node, ...]:
    """What an entry must not hold."""
    return understand(q).root.excluded


def day(*date: int) -> int:
    """The first microsecond of a day."""
    return microseconds(datetime(*date, tzinfo=UTC))  # type: ignore[arg-type,misc]  # year to day


def test_words_are_counted_stems_without_stop_words() -> None:
    """Words are reduced to stems, those that tell nothing are left out, repeats are counted."""
    assert wanted("the jobs of the failing job") == (Words((("job", 2), ("fail", 1))),)


def test_a_phrase_keeps_all_its_words() -> None:
    """Words in quotes belong together, stop words too, and are no single words any more."""
    asked = understand('restart "not in catalog" step')
    assert asked.root == Group((words("restart", "step"),), (Phrase(("not", "in", "catalog")),))


def test_a_phrase_may_end_in_a_beginning() -> None:
    """A star after the quotes makes the last word the beginning of one."""
    assert (
        required('"data se"*') == required('"data se*"') == (Phrase(("data", "se"), prefix=True),)
    )


def test_curly_quotes_are_quotes() -> None:
    """Quotes that a word processor made are read as quotes."""
    assert required("“data set”") == (Phrase(("data", "set")),)


def test_an_unclosed_quote_is_plain() -> None:
    """Without its end a quote means nothing."""
    assert understand('"data set').root == Group((words("data", "set"),))


def test_a_quote_inside_a_word_was_copied() -> None:
    """`DSN="A.B"` is no phrase that must be there."""
    assert understand('dsn="prod.master" gone').root == Group(
        (words("dsn", "prod", "master", "gone"),)
    )


@pytest.mark.parametrize(
    "q",
    [
        'connection to server at "db" failed: FATAL:  sorry, too many clients already',
        'psycopg2.OperationalError: connection to server at "db" (10.0.0.1), port 5432 failed',
        'FATAL:  sorry, too many clients already (server "db")',
        'user "root" sorry, too many clients already',
        'Failed to pull image "orders": 401 Unauthorized',
        'rm: cannot remove "x y": Stale file handle',
        'ORA-12154 then the job says that "no listener" was there for it at night',
    ],
)
def test_quotes_in_a_copied_message_are_text(q: str) -> None:
    """What holds the message but not the name in it is found; the reply says so."""
    asked = understand(q)
    assert asked.root == understand(q.replace('"', " ")).root
    assert "quotes in a text were left out" in asked.notes


@pytest.mark.parametrize(
    "q",
    [
        'deadlock "nightly" batch job',
        'restart after "not in catalog" of the night job',
        '-testing user "root" sorry, too many clients already',
        'user +"root" sorry, too many clients already',
        'source:web01 user "root" sorry, too many clients already',
        'too many clients already AND "root"',
        'error: too many clients "alrea"*',
        '"data set":',
    ],
)
def test_quotes_that_were_typed_are_phrases(q: str) -> None:
    """A phrase, few words, or any other sign of a query."""
    asked = understand(q)
    assert any(isinstance(leaf, Phrase) for leaf in leaves(asked.root))
    assert asked.notes == ()


@pytest.mark.parametrize("q", ["severity:urgent full", "severity:>high full", "status:failed full"])
def test_a_value_that_there_is_not_is_words(q: str) -> None:
    """Of what has few values, others are words, and the reply says so."""
    asked = understand(q)
    assert asked.root.required == ()
    assert any("searched as words" in note for note in asked.notes)


@pytest.mark.parametrize("q", ["abend -testing", "abend NOT testing", "abend !testing"])
def test_a_word_is_excluded(q: str) -> None:
    """`-word` is what must not be there."""
    assert understand(q).root == Group((words("abend"),), (), (words("test"),))


def test_phrases_groups_and_fields_are_excluded() -> None:
    """A minus stands before whatever is one thing."""
    assert excluded('a -"data set"') == (Phrase(("data", "set")),)
    assert excluded("a -(b OR c)") == (Group((words("b"), words("c"))),)
    assert excluded("a -tag:night") == (Keyword("tag", ("night",)),)


@pytest.mark.parametrize("q", ["-805", "SQLCODE -805", "-911 deadlock", "kill -9"])
def test_a_minus_before_digits_never_excludes(q: str) -> None:
    """`-805` is a code."""
    asked = understand(q)
    assert asked.root.excluded == ()
    assert asked.codes or q == "kill -9"  # one digit: nothing but SQL makes it a code


@pytest.mark.parametrize(
    ("q", "node"),
    [
        ("abend -S0C7", Words(codes=("s0c7",))),
        ("abend -ORA-600", Words(codes=("ora-00600",))),
        ("sql -db2", words("db2")),
        ("sql !db2", words("db2")),
        ("-Db2", words("db2")),
        ("dataset -not-found", Phrase(("not", "found"))),
        ("dataset -catalog.dataset", Phrase(("catalog", "dataset"))),
        ("dataset -catalgo~", Fuzzy("catalgo", 1)),
        ("dataset -abend^2", Boosted(words("abend"), 2.0)),
        ("dataset -ab*nd", Pattern("ab*nd")),
        ("IEF450I -S0C*", Pattern("s0c*")),
    ],
)
def test_a_minus_before_a_letter_excludes(q: str, node: Node) -> None:
    """Whatever follows the letter: what begins with one is no signed number."""
    assert excluded(q) == (node,)
    assert understand(q).notes == ()


def test_a_plus_before_a_letter_requires() -> None:
    """The same for what must be there."""
    assert required("sql +db2") == (words("db2"),)
    assert required("abend +IEF450I") == (Words(codes=("ief450i",)),)


@pytest.mark.parametrize(
    "q",
    [
        "ls -l",
        "grep -v name data-set",
        "gcc -O2 -Wall code",
        "java -Xmx512m heap",
        "java -Djava.awt.headless=true -jar app.jar",
        "cut --verbose -rn file",
        "the numeric type has infinity and -infinity values since version 3",
        "+DFHSI1517 CICSA Control is being given",
        "-DSNT375I PLAN A",
        "09.12.33 DSNT376I -DB2P PLAN=DISTSERV",
    ],
)
def test_signs_in_ordinary_text_are_text(q: str) -> None:
    """A sentence, a command and a console's line lose no word, and the reply says so."""
    asked = understand(q)
    assert not (asked.root.required or asked.root.excluded)
    assert "signs read as text: " in told(asked)


def test_a_value_keeps_its_sign() -> None:
    """A sign after a colon is part of what the field holds."""
    assert required("code:-S0C7") == (Words(codes=("s0c7",)),)
    assert required("tag:-night") == (Keyword("tag", ("-night",)),)


def test_only_stop_words_are_what_is_meant() -> None:
    """A query of nothing but stop words searches them."""
    assert wanted("to be or not") == (words("to", "be", "or", "not"),)


@pytest.mark.parametrize("q", ["", "   ", "!!! ???", '""', "*", "()"])
def test_nothing_readable_means_everything(q: str) -> None:
    """Without a word, code or phrase every entry is as good as another."""
    assert understand(q).root == Group()
    assert understand(q).everything
    assert told(understand(q)).startswith("everything, newest first")


def test_and_binds_before_or_before_standing_beside() -> None:
    """`a b AND c OR d` is a, and better: b with c, or d."""
    assert understand("alpha beta AND gamma OR delta").root == Group(
        (words("alpha"), Group((Group(required=(words("beta"), words("gamma"))), words("delta"))))
    )


def test_and_requires_both() -> None:
    """What AND joins must be there; with NOT, must not."""
    root = understand("vsam AND open AND NOT close later").root
    assert root == Group((words("later"),), (words("vsam"), words("open")), (words("close"),))


VSAM, OPEN, CLOSE = (Words(((stem, 1),)) for stem in ("vsam", "open", "close"))


@pytest.mark.parametrize(
    ("q", "root"),
    [
        ("vsam AND -open", Group((), (VSAM,), (OPEN,))),
        ("vsam AND !open", Group((), (VSAM,), (OPEN,))),
        ("vsam AND +open", Group((), (VSAM, OPEN))),
        ("+vsam AND -open", Group((), (VSAM,), (OPEN,))),
        ('vsam AND -"data set"', Group((), (VSAM,), (Phrase(("data", "set")),))),
        ("vsam AND -(open OR close)", Group((), (VSAM,), (Group((OPEN, CLOSE)),))),
        ("vsam AND -tag:night", Group((), (VSAM,), (Keyword("tag", ("night",)),))),
        ("vsam OR -open", Group((VSAM, Group((), (), (OPEN,))))),
        ("vsam OR !open", Group((VSAM, Group((), (), (OPEN,))))),
        ("vsam OR +open", Group((VSAM, OPEN))),
        ("vsam OR open AND -close", Group((VSAM, Group((), (OPEN,), (CLOSE,))))),
        ("vsam OR NOT open", Group((VSAM, Group((), (), (OPEN,))))),
        ("NOT open OR vsam", Group((Group((), (), (OPEN,)), VSAM))),
        ("NOT open AND vsam", Group((), (VSAM,), (OPEN,))),
        ("-open AND vsam", Group((), (VSAM,), (OPEN,))),
        ("!open AND vsam", Group((), (VSAM,), (OPEN,))),
        ("NOT (open OR close) AND vsam", Group((), (VSAM,), (Group((OPEN, CLOSE)),))),
        ("NOT tag:night AND vsam", Group((), (VSAM,), (Keyword("tag", ("night",)),))),
        ("NOT open AND NOT close", Group((), (), (OPEN, CLOSE))),
        ("vsam NOT open AND close", Group((VSAM,), (CLOSE,), (OPEN,))),
        ("vsam OR NOT open AND close", Group((VSAM, Group((), (CLOSE,), (OPEN,))))),
        ("(NOT open AND vsam) OR close", Group((Group((), (VSAM,), (OPEN,)), CLOSE))),
        ("vsam (NOT open)", Group((VSAM,), (), (OPEN,))),
        ('"?" AND -"?" OR vsam', Group((VSAM,))),
    ],
)
def test_what_and_and_or_join_may_be_refused(q: str, root: Group) -> None:
    """By NOT, a minus or `!`, wherever it stands; a plus adds nothing to what is joined."""
    assert understand(q) == Understood(root)


@pytest.mark.parametrize("q", ["a NOT -open", "a AND NOT +open", 'a OR NOT NOT "open"'])
def test_two_refusals_of_one_thing_are_plain_words(q: str) -> None:
    """Nobody knows which of both was meant."""
    asked = understand(q)
    assert not (asked.root.required or asked.root.excluded)
    assert "a sign stands without something to join" in told(asked)


def test_a_plus_requires() -> None:
    """`+word` must be there."""
    assert understand("+vsam open").root == Group((words("open"),), (words("vsam"),))


def test_codes_are_joined_too() -> None:
    """A code beside an operator must be there as a code."""
    asked = understand("S0C7 AND cobol")
    assert asked.root.required == (Words(codes=("s0c7",)), words("cobol"))
    assert asked.codes == ("s0c7",)
    assert understand("cobol NOT S0C7").codes == ()


def test_parentheses_group() -> None:
    """What stands in parentheses is one thing."""
    assert understand("(alpha OR beta) AND gamma").root.required == (
        Group((words("alpha"), words("beta"))),
        words("gamma"),
    )


@pytest.mark.parametrize(
    "q",
    [
        "DATA SET NOT FOUND",
        "column IS NOT NULL constraint",
        "NOT NULL constraint",
        "CREATE OR REPLACE view",
        "what a long question this is, but NOT written as an expression",
    ],
)
def test_operators_in_ordinary_text_are_words(q: str) -> None:
    """Between words in capitals, or in a long text, nobody meant an operator."""
    asked = understand(q)
    assert not (asked.root.required or asked.root.excluded)
    assert [type(node) for node in asked.root.wanted] == [Words]
    assert "were read as words" in told(asked)


def test_beside_a_code_operators_are_meant() -> None:
    """A code is in capitals because it is a code."""
    assert excluded("ABEND NOT S0C7") == (Words(codes=("s0c7",)),)
    assert excluded("abend NOT CICS") == (words("cic"),)


@pytest.mark.parametrize("q", ["fails (only at night)", "fails (only at night).", "f(only) (night"])
def test_parentheses_in_ordinary_text_are_nothing(q: str) -> None:
    """Without an operator, what they set apart is words like the others."""
    assert [type(node) for node in wanted(q)] == [Words]
    assert understand(q).notes == ()


@pytest.mark.parametrize(
    "q", ["alpha AND", "OR alpha", "(alpha OR", "alpha AND OR beta", 'tag:"', '-"']
)
def test_what_does_not_parse_is_plain_words(q: str) -> None:
    """Half an expression is searched as words, and the reply says so."""
    asked = understand(q)
    assert not (asked.root.required or asked.root.excluded)
    assert "searched as plain words" in told(asked)


def test_a_pasted_log_is_not_read_as_language() -> None:
    """Of more than one line, only the codes and the words count."""
    asked = understand('IEF450I JOB - ABEND=S0C7\nopen "x" AND (y -abc title:z')
    assert set(asked.codes) >= {"ief450i", "s0c7"}
    assert isinstance(asked.root.wanted[0], Words)
    assert not (asked.root.required or asked.root.excluded)
    assert "pasted" in told(asked)


@pytest.mark.parametrize(
    ("q", "node"),
    [
        ("category:db2", Keyword("within", ("db2",))),
        ('tag:"Night Batch"', Keyword("tag", ("night batch",))),
        ("tag:nig*", Keyword("tag", ("nig",), prefix=True)),
        ("tag:n*", Keyword("tag", ("n",), prefix=True)),
        ("tag:*", Keyword("tag", ("",), prefix=True)),
        ("status:*", Keyword("status", ("",), prefix=True)),
        ('tag:"*"', Keyword("tag", ("*",))),
        ("SEVERITY:High", Keyword("severity", ("high",))),
        ("status:draft", Keyword("status", ("draft",))),
        ("author:ann", Keyword("author", ("ann",))),
        ("source:wiki", Keyword("source", ("wiki",))),
        ("id:batch/s0c7", Keyword("name", ("batch/s0c7",))),
        ("title:jobs", Phrase(("job",), "title")),
        ('problem:"data sets"', Phrase(("data", "set"), "problem")),
        ("solution:restart*", Pattern("restart*", "solution")),
        ("title:ab*nd", Pattern("ab*nd", "title")),
        ("problem:Abnd~1", Fuzzy("abnd", 1, "problem")),
        ("code:S0C*", Pattern("s0c*", "code")),
        ("code:-80*", Pattern("-80*", "code")),
        ('solution:"data se"*', Phrase(("data", "se"), "solution", prefix=True)),
        ("code:S0C7", Words(codes=("s0c7",))),
        ("code:0c7", Words(codes=("s0c7",))),
        ("code:ASRA", Words(codes=("asra",))),
        ("code:GE", Phrase(("ge",), "title")),
        ("usage:10..50", Range("usage", 10, 50)),
        ("usage:>10", Range("usage", 11, None)),
        ("usage:<=10", Range("usage", None, 10)),
        ("success:[1 TO *]", Range("success", 1, None)),
        ("usage:7", Range("usage", 7, 7)),
        ("updated:>2026-01-01", Range("updated", day(2026, 1, 2), None)),
        ("updated:>=2026-01", Range("updated", day(2026, 1, 1), None)),
        ("updated:<2026", Range("updated", None, day(2026, 1, 1) - 1)),
        ("usage:{1 TO 5]", Range("usage", 2, 5)),
        ("updated:[2026 TO 2027}", Range("updated", day(2026, 1, 1), day(2027, 1, 1) - 1)),
        ("updated:{2026 TO *}", Range("updated", day(2027, 1, 1), None)),
        ("updated:9999", Range("updated", day(9999, 1, 1), day(9999, 12, 31) + DAY_LONG - 1)),
        ("created:2026-12", Range("created", day(2026, 12, 1), day(2027, 1, 1) - 1)),
        ("created:2026-02-28..2026-03", Range("created", day(2026, 2, 28), day(2026, 4, 1) - 1)),
    ],
)
def test_fields(q: str, node: Node) -> None:
    """A field before a value must fit."""
    assert required(q) == (node,)


def test_values_of_a_field_in_parentheses() -> None:
    """Any of several values."""
    assert required("category:(db2 OR vsam)") == (
        Group((Keyword("within", ("db2",)), Keyword("within", ("vsam",)))),
    )


NIGHT, BATCH, DAY = (Keyword("tag", (tag,)) for tag in ("night", "batch", "day"))


@pytest.mark.parametrize(
    ("q", "root"),
    [
        ("tag:(night AND batch)", Group(required=(NIGHT, BATCH))),
        ("tag:(NIGHT AND BATCH)", Group(required=(NIGHT, BATCH))),
        ("tag:(+night)", Group(required=(NIGHT,))),
        ("tag:(night batch)", Group(required=(Group((NIGHT, BATCH)),))),
        ("tag:(night NOT batch)", Group(required=(Group((NIGHT,), (), (BATCH,)),))),
        ("tag:(night -batch)", Group(required=(Group((NIGHT,), (), (BATCH,)),))),
        ("tag:(NOT batch)", Group(excluded=(BATCH,))),
        ("tag:(NOT batch AND night)", Group(required=(NIGHT,), excluded=(BATCH,))),
        (
            "tag:(-batch AND night day)",
            Group(required=(Group((Group((), (NIGHT,), (BATCH,)), DAY)),)),
        ),
        ("tag:((night OR day) AND batch)", Group(required=(Group((NIGHT, DAY)), BATCH))),
        (
            "tag:(night AND batch day)",
            Group(required=(Group((Group(required=(NIGHT, BATCH)), DAY)),)),
        ),
        ("-tag:(night AND batch)", Group(excluded=(Group(required=(NIGHT, BATCH)),))),
        ("tag:(night^2)", Group(required=(Group((Boosted(NIGHT, 2.0),)),))),
        ("tag:(night) abend", Group((words("abend"),), (Group((NIGHT,)),))),
    ],
)
def test_operators_join_values_of_a_field(q: str, root: Group) -> None:
    """In the parentheses of a field the language is the same, in capitals too."""
    assert understand(q) == Understood(root)


def test_joined_values_are_told() -> None:
    """What must not be there is no alternative."""
    assert told(understand("tag:(night day -batch) x")) == (
        "(tag night or tag day; without tag batch); words x"
    )


def test_a_value_in_capitals_is_no_ordinary_text() -> None:
    """An operator after it is one."""
    assert required("tag:NIGHT AND CICS") == (NIGHT, words("cic"))


@pytest.mark.parametrize(
    "q",
    ["S0C7 AND NOT", "S0C7 NOT", "OR S0C7", "vsam AND CICS OR", "CICS AND NOT", "+vsam CICS NOT"],
)
def test_an_operator_at_an_end_is_nothing(q: str) -> None:
    """It joins nothing, and is no word to look for either."""
    found = [stem for leaf in leaves(understand(q).root) for stem, _ in getattr(leaf, "stems", ())]
    assert not {"and", "or", "not"} & {*found}
    assert understand(q).notes


@pytest.mark.parametrize("q", ["usage:many", "updated:soon", "status:35", "updated:2026-13"])
def test_no_value_of_the_field(q: str) -> None:
    """What can't be a value of the field is searched as words, and the reply says so."""
    asked = understand(q)
    assert not asked.root.required
    assert "searched as words" in told(asked)


def test_an_unknown_field_is_words() -> None:
    """A colon after any other name means nothing."""
    assert wanted("colour:red") == (words("colour", "red"),)


def test_patterns_misspellings_and_boosts() -> None:
    """`*` and `?` stand for letters, `~` for misspelt ones, `^` counts more."""
    assert wanted("Abend*") == (Pattern("abend*"),)
    assert wanted("ab?nd") == (Pattern("ab?nd"),)
    assert wanted("what?") == (words("what"),)
    assert wanted("catalgo~") == (Fuzzy("catalgo", 1),)
    assert wanted("Catalgo~2") == (Fuzzy("catalgo", 2),)
    assert wanted("vsam^3 open") == (words("open"), Boosted(words("vsam"), 3.0))
    assert understand("S0C7~1").codes == ("s0c7",)


def test_wildcards_count_as_several_parts() -> None:
    """Sixteen of them are looked up; in a query with more they are plain words, and it says so."""
    fine, over = (" ".join(f"a{chr(97 + n)}*" for n in range(most)) for most in (16, 17))
    assert all(isinstance(leaf, Pattern) for leaf in leaves(understand(fine).root))
    assert all(isinstance(leaf, Words) for leaf in leaves(understand(over).root))
    assert "16 patterns and misspelt words: searched as plain words" in told(understand(over))


@pytest.mark.parametrize("q", ["(alpha OR beta)^2 gamma", "gamma (alpha OR beta)^2"])
def test_parentheses_are_boosted(q: str) -> None:
    """Also right behind a word."""
    either = Boosted(Group((words("alpha"), words("beta"))), 2.0)
    assert understand(q) == Understood(Group((words("gamma"), either)))


def test_boosts_in_each_other_multiply_to_a_bound() -> None:
    """What a code or a pin is worth stands above all that they can make, and below 32 bits."""
    asked = understand("S0C7 " + "(" * 15 + "abend" + "^100)" * 15 + "^100 job^2")
    assert code_score(asked) < PIN_SCORE / 1000
    assert "nothing counts more than 100 times" in told(asked)
    outer = Boosted(Group(wanted=(words("a"), Boosted(words("b"), 25.0))), 4.0)
    assert understand("(a b^80)^4").root.wanted == (outer,)
    assert not understand("(a b^25)^4").notes


@pytest.mark.parametrize("q", ["*abend", "pro*c-style", "uint_*", "?bend"])
def test_other_stars_are_nothing(q: str) -> None:
    """A beginning with `*` would read every word there is; the reply says it was left out."""
    asked = understand(q)
    assert [type(node) for node in asked.root.wanted] == [Words]
    assert f"{q} was read without its {'?' if '?' in q else '*'}" in told(asked)


@pytest.mark.parametrize(
    ("q", "note"),
    [
        ("abend~9", "abend~9 was read without its ~"),
        ("abend^1.2.3", "^1.2.3 was left out"),
        ("abend^1e9", "^1e9 was left out"),
        ("abend^-1", "^-1 was left out"),
        ("abend^2^3", "^2^3 was left out"),
        ('"data set"^-1', "^-1 was left out"),
        ("title:abend^1e9", "^1e9 was left out"),
        ("abend^abc", "abend^abc was read without its ^"),
        ("title:abend^abc", "abend^abc was read without its ^"),
        ("^2", "^2 was read without its ^"),
        ('"data set"~3', "~3 after a phrase was left out"),
        ("abend^999999", "nothing counts more than 100 times"),
        ("title:*abend", "*abend was read without its *"),
        ("tag:ni*t", "ni*t was taken as it stands"),
        ("code:S0C7~1", "S0C7~1 was read without its ~"),
    ],
)
def test_signs_that_were_not_read_are_told(q: str, note: str) -> None:
    """Whoever wrote them learns that they made no difference."""
    assert understand(q).notes == (note,)


@pytest.mark.parametrize(
    "q",
    [
        "tag:nig*",
        "tag:n*",
        "tag:*",
        "title:ab*nd",
        "word^0.0001",
        "takes ~3 minutes",
        "~/.profile",
        "what?",
    ],
)
def test_what_was_read_is_not_noted(q: str) -> None:
    """A note is about what was not read."""
    assert understand(q).notes == ()


def test_a_number_after_a_phrase_is_no_word() -> None:
    """`"data set"~3` is a phrase."""
    assert understand('"data set"~3').root == Group((), (Phrase(("data", "set")),))


@pytest.mark.parametrize("boost", ["^1e9", "^-1", "^2^3", "^1.2.3", "^+.5", "^2."])
def test_what_is_nearly_a_boost_is_no_word(boost: str) -> None:
    """It is left out, and what stands before it is what it is without it."""
    for q in ("abend", "S0C7 abend", "(a OR b)", "-abend", "+abend", "title:abend", '"data set"'):
        plain, read = understand(q), understand(q + boost)
        assert (read.root, read.codes) == (plain.root, plain.codes)
        assert read.notes == (f"{boost} was left out",)


def test_the_last_day_is_told() -> None:
    """There is no day after it."""
    assert told(understand("updated:9999 x")) == (
        "updated from 9999-01-01 to 9999-12-31 23:59:59; words x"
    )


def test_codes_have_patterns() -> None:
    """`S0C*` and `-80*` are the beginnings of codes."""
    assert wanted("S0C*") == (Pattern("s0c*"),)
    assert wanted("-80*") == (Pattern("-80*"),)
    assert wanted("ORA-006*") == (Pattern("ora-006*"),)


@pytest.mark.parametrize("q", ["S0C?", "s0c?", "IEF45?"])
def test_a_begun_code_may_end_in_a_question_mark(q: str) -> None:
    """It is a word and a pattern: which of them was meant, the index will tell."""
    word, pattern = q[:-1].lower(), Pattern(q.lower())
    assert wanted(q) == (words(word), pattern)
    assert understand(q).notes == (f"{q} was read as a pattern, too",)
    assert understand(f"{q} AND job").root.required[0] == Group((words(word), pattern))
    assert understand(f"code:{q}").root.required == (Pattern(q.lower(), "code"),)


@pytest.mark.parametrize("q", ["what is S0C7?", "is it python3?", "IEF450I?", "who is OSCAR?"])
def test_other_question_marks_end_a_question(q: str) -> None:
    """As they do in what people write."""
    assert not any(isinstance(node, Pattern) for node in wanted(q))


def test_asked_less_strictly() -> None:
    """Phrases become words; fields, refusals, lone phrases and what AND requires stay."""
    loose = relaxed(understand('relation "orders" missing tag:a -test'))
    assert loose is not None
    assert loose.root == Group(
        (words("relat", "miss"), words("order")), (Keyword("tag", ("a",)),), (words("test"),)
    )
    assert relaxed(understand('"data set" tag:a')) is None
    assert relaxed(understand("plain words")) is None
    assert relaxed(understand("vsam AND open s0c7")) is None


def test_the_understanding_is_told() -> None:
    """A person can read what was searched."""
    assert (
        told(understand('S0C7 "data set" jobs -test'))
        == 'code s0c7; phrase "data set"; words s0c7 job; without test'
    )
    assert (
        told(understand("vsam AND open category:db2 updated:>2026-01-01"))
        == "must have vsam; must have open; category db2; updated from 2026-01-02"
    )


@pytest.mark.parametrize("q", NAUGHTY, ids=range(len(NAUGHTY)))
def test_no_text_is_an_error(q: str) -> None:
    """Whatever is typed is understood, within the bounds."""
    asked = understand(q)
    assert isinstance(asked, Understood)
    found = leaves(asked.root) + leaves(asked.root, excluded=True)
    assert len(rarest(asked, lambda _: 1).codes) <= CODES_MAX
    assert len([leaf for leaf in found if not isinstance(leaf, Words)]) <= parser.PARTS_MAX
    assert all(len(leaf.stems) <= PHRASE_WORDS_MAX for leaf in found if isinstance(leaf, Phrase))
    assert all(len(leaf.stems) <= QUERY_MAX for leaf in found if isinstance(leaf, Words))
    assert len(told(asked)) <= SHOWN_MAX


def test_a_code_outweighs_any_number_of_words() -> None:
    """The score of a code grows with what the words of the same query could reach."""
    long = understand(" ".join(f"word{n} word{n}" for n in range(100)))
    assert code_score(long) > 64 * 2 * 2.2 * 22
    assert code_score(understand("vsam^100")) > 100 * 2.2 * 22
