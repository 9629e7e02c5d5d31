"""Codes as they are typed: more forms than in the text of an entry."""

import pytest

from storage.index.codes import find_codes
from storage.index.typed import named_codes, typed_codes


@pytest.mark.parametrize(
    ("q", "codes"),
    [
        ("ora 600", ["ora-00600"]),
        ("ORA 1555 in report", ["ora-01555"]),
        ("hasp 050", ["hasp050"]),
        ("IEF 450I what is it", ["ief450i"]),
        ("dsnt 408i", ["dsnt408i"]),
        ("DFHAP 0001", ["dfhap0001"]),
        ("KB 5012170", ["kb5012170"]),
        ("soc 7", ["s0c7"]),
        ("S0C 4", ["s0c4"]),
        ("0x7B", ["0000007b"]),
        ("X'806'", ["s806"]),
        ("USER=0016", ["u0016"]),
        ("U 0457", ["u0457"]),
        ("SYSTEM 0E3", ["s0e3"]),
        ("S 03D", ["s03d"]),
        ("S-913", ["s913"]),
        ("minus 204", ["-204"]),
        ("plus 100", ["+100"]),
        ("013", ["s013", "-13", "+13"]),
    ],
)
def test_a_typed_form_stands_for_its_code(q: str, codes: list[str]) -> None:
    """Ids with a space inside, and what is asked for alone."""
    assert typed_codes(q) == codes
    assert not set(find_codes(q)) & set(codes)


@pytest.mark.parametrize(
    "q",
    [
        *("db2", "ec2", "soc 2", "soc 7 audit", "500 KB 1048576", "ich 408", "ora 12"),
        *("is 805 a code", "system 12", "system 0e3 is slow", "s abc", "10 minus 204", "u 16"),
    ],
)
def test_what_may_be_words_stays_words(q: str) -> None:
    """A wrong code would come before the right words."""
    assert typed_codes(q) == []


def test_a_named_code_is_all_that_its_number_may_be() -> None:
    """`code:805` asks for a code, so that a bare number is one."""
    assert named_codes("805") == ["s805", "-805", "+805", "u0805"]
    assert named_codes("35") == ["fs35"]
    assert named_codes("S0C7") == ["s0c7"]
    assert named_codes("db2") == named_codes("GE") == []
