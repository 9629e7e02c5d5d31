"""Queries lose addresses and numbers, and never a code; names become pseudonyms."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipelines.privacy import Pseudonyms, mask, normalised, pseudonyms

CODES = (
    *("S0C7", "SQLCODE -805", "-805 -818 -904 -911 -922 -923", "FILE STATUS 35", "00C90088"),
    *("IEF450I PAYROLL STEP1 - ABEND=S0C7 U0000 REASON=00000004", "311992D3", "DFHAC2206"),
    *("JOB12345", "reason code 00000035", "SYS1.PROCLIB(IEFBR14)", "2026-11-21", "U4038 rc 3000"),
    *(
        "805 818 904 911",
        "+805",
        "CICS 4.2.0 APAR PH12345",
        "10.11.12.13:8080",
        "DSNT408I 12 34 56",
    ),
)


@pytest.mark.parametrize("query", CODES)
def test_a_code_is_no_number(query: str) -> None:
    """What looks for a code is kept as it was written."""
    assert mask(query) == query


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("mail from ann.lee@example.co.uk bounced", "mail from <email> bounced"),
        ("card 4111 1111 1111 1111 declined", "card <number> declined"),
        ("card 4111-1111-1111-1111.", "card <number>."),
        ("call +49 (30) 901820 now", "call <number> now"),
        ("call (555) 123-4567", "call <number>"),
        ("call 555-123-4567", "call <number>"),
        ("ssn 123-45-6789", "ssn <number>"),
        ("account 12345678901", "account <number>"),
        ("S0C7 for bob@example.com at -805", "S0C7 for <email> at -805"),
        ("a\x00b\x1bc", "a b c"),
    ],
)
def test_addresses_and_numbers_go(query: str, kept: str) -> None:
    """Only they do."""
    assert mask(query) == kept


def test_sixteen_digits_that_check_nothing_may_be_codes() -> None:
    """Groups of digits are a card only where their last digit says so."""
    assert mask("4111 1111 1111 1112") == "4111 1111 1111 1112"


def test_a_long_query_shows_no_half_of_an_address() -> None:
    """Where it is cut, whatever the masks took away before."""
    query = "a.b@example.com " * 1_000
    assert all("<email>".startswith(word) for word in mask(query).split())
    assert "ann" not in mask("ann@example.com" * 1_000)


def test_a_huge_query_is_looked_at_quickly() -> None:
    """No pattern looks at a text again and again."""
    for text in ("a" * 20_000, "1 " * 10_000, "+1" * 10_000, "a.a@" * 5_000, "(" * 20_000):
        mask(text)


def test_queries_are_counted_as_one() -> None:
    """Whatever their case and their spaces."""
    assert normalised("  VSAM\tStatus  35 ") == normalised("vsam status 35") == "vsam status 35"
    assert normalised("Stra\u00dfe") == normalised("STRASSE")
    assert normalised("e\u0301") == "\u00e9"


def test_a_pseudonym_tells_people_apart_and_needs_the_key() -> None:
    """The same name gives the same one, under one key and of one kind."""
    names = Pseudonyms(b"key")
    assert names.of("user", "ann") == Pseudonyms(b"key").of("user", "ann")
    others = (names.of("user", "bob"), names.of("session", "ann"))
    assert names.of("user", "ann") not in (*others, Pseudonyms(b"other").of("user", "ann"))


def test_the_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """Mode 0600; the next process finds it; a setting stands before it."""
    file = tmp_path / "analytics.key"
    first = pseudonyms(None, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert pseudonyms(None, file).of("user", "a") == first.of("user", "a")
    assert list(tmp_path.iterdir()) == [file]
    given = pseudonyms(SecretStr("given"), file)
    assert given.of("user", "a") == Pseudonyms(b"given").of("user", "a") != first.of("user", "a")


def test_without_a_folder_pseudonyms_last_as_long_as_the_process(tmp_path: Path) -> None:
    """Searches are answered all the same."""
    missing = tmp_path / "missing" / "analytics.key"
    assert pseudonyms(None, missing).of("user", "a") != pseudonyms(None, missing).of("user", "a")
