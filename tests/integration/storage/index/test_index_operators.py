"""What operators and signs mean beside codes: hits, counts and saved searches agree."""

from collections.abc import Iterator

import pytest

from storage.index.searcher import IndexReader
from storage.index.wanted import Wanted
from tests.integration.storage.index.index_helpers import ask, entry
from tests.integration.storage.index.test_index_answer import made

#: Words of a code as they stand in other texts, and the field's own name.
TITLES = (
    "ORA-00060 deadlock",
    "ORA-12541 no listener",
    "ora client and 00060 rows",
    "CVE-2021-44228 in log4j",
    "a report of 2021",
    "S0C7 in payroll",
    "s0c and the code of payroll",
    "code page",
    "vpn of the code review",
)
ENTRIES = tuple(entry(title) for title in TITLES)
DEADLOCK, LISTENER, CLIENT, CVE, REPORT, S0C7, S0C, PAGE, VPN = range(len(TITLES))
ALL = {*range(len(TITLES))}

ASKED = [
    ("code:S0C7", {S0C7}),
    ("code:ORA-00060", {DEADLOCK}),
    ("+ORA-00060", {DEADLOCK}),
    ("+CVE-2021-44228", {CVE}),
    ("payroll code:S0C7", {S0C7}),
    ("(code:S0C7 OR vpn)", {S0C7, VPN}),
    ("ORA-00060 AND ora", {DEADLOCK}),
    ("ORA-00060 OR vpn", {DEADLOCK, VPN}),
    ("+ORA-00060^2", {DEADLOCK}),
    ("ora NOT ORA-00060", {LISTENER, CLIENT}),
    ("ora -ORA-00060", {LISTENER, CLIENT}),
    ("2021 -CVE-2021-44228", {REPORT}),
    ("payroll -code:S0C7", {S0C}),
    ("NOT code:S0C7", ALL - {S0C7}),
    ("-(code:S0C7 OR vpn)", ALL - {S0C7, VPN}),
    ("vpn AND -S0C7", {VPN}),
    ("ora AND -ORA-00060", {LISTENER, CLIENT}),
    ("-code:S0C7 AND payroll", {S0C}),
    ("vpn OR -code", ALL - {S0C, PAGE}),
    ("vpn OR (code AND NOT code:S0C7)", {VPN, S0C, PAGE}),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """Entries with codes, and with no more than their words."""
    yield from made(tmp_path_factory.mktemp("operators"), ENTRIES)


@pytest.mark.parametrize(("q", "expected"), ASKED)
def test_a_code_in_a_condition_is_not_its_words(
    reader: IndexReader, q: str, expected: set[int]
) -> None:
    """What has to be there, or must not, is the code; what is found is what facets count."""
    reply = ask(reader, q, facets="severity", explain=True)
    assert {TITLES.index(hit.title) for hit in reply.hits} == expected
    assert reply.total == sum(one.count for one in reply.facets["severity"])
    for hit in reply.hits:
        assert hit.explanation
        added = sum(part.score for part in hit.explanation.parts)
        assert added == pytest.approx(hit.score, abs=1e-4)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("listener NOT ORA-00060", {LISTENER}),
        ("ora NOT ORA-00060", {LISTENER, CLIENT}),
        ("2021 -CVE-2021-44228", {REPORT}),
        ("code -code:S0C7", {S0C, PAGE, VPN}),
        ("+ORA-00060", {DEADLOCK}),
        ("code:S0C7", {S0C7}),
        ("code AND -vpn", {S0C, PAGE}),
        ("NOT vpn AND code", {S0C, PAGE}),
        ("listener OR -code", ALL - {S0C, PAGE, VPN}),
    ],
)
def test_a_saved_search_misses_nothing_by_a_code(
    reader: IndexReader, query: str, expected: set[int]
) -> None:
    """What another code shares words with the excluded one alarms all the same."""
    ids = [one.id for one in ENTRIES]
    found = reader.wanted([Wanted("any", query, ())], ids, ask(reader).position)
    assert {ids.index(entry_id) for _, entry_id, _ in found} == expected
