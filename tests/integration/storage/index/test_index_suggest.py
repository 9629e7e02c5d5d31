"""Suggestions from a real index."""

from uuid import UUID

import orjson
import pytest

from contracts.suggest import Suggest, Suggestions
from storage.index.searcher import IndexReader
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, entry


def suggested(reader: IndexReader, q: str, limit: int = 10) -> list[tuple[str, str]]:
    """Kinds and texts, in order."""
    reply = Suggestions(**orjson.loads(reader.suggest(Suggest(q=q, limit=limit))))
    return [(one.kind, one.text) for one in reply.suggestions]


@pytest.fixture
def reader(fill: Fill) -> IndexReader:
    """A few entries with codes and tags."""
    return fill(
        entry("S0C7 data exception", "of numbers", tags=("data", "Night")),
        entry("S0C4 protection exception", tags=("night",)),
        entry("Data set not found", usage=5),
        entry("The data base is away", usage=9),
        entry("SQLCODE -805"),
    )


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("s0", ("code", "S0C4")),
        ("S0C7", ("code", "S0C7")),
        ("0c7", ("code", "S0C7")),
        ("-80", ("code", "-805")),
        ("data s", ("entry", "Data set not found")),
        ("DATA", ("entry", "Data set not found")),
        ("the data ba", ("entry", "The data base is away")),
        ("base aw", ("entry", "The data base is away")),
        ("ni", ("tag", "night")),
        ("sqlc", ("entry", "SQLCODE -805")),
    ],
)
def test_what_begins_so_comes_first(reader: IndexReader, q: str, first: tuple[str, str]) -> None:
    """Codes, then titles that begin so, then titles that hold the words, then tags."""
    assert suggested(reader, q)[0] == first


@pytest.mark.parametrize("letters", range(2, 20))
def test_titles_that_begin_so_come_first(fill: Fill, letters: int) -> None:
    """Beginnings are looked up in a few sizes only; those between them count as well."""
    reader = fill(
        entry("Catalogued data sets"),
        entry("Old catalogued data sets", usage=9),
        entry("Dogs", usage=9),
    )
    both = [("entry", "Catalogued data sets"), ("entry", "Old catalogued data sets")]
    assert suggested(reader, "catalogued data sets"[:letters]) == both


@pytest.fixture
def coded(fill: Fill) -> IndexReader:
    """Entries whose codes are what a word before a number makes of it."""
    return fill(
        entry("FILE STATUS 35: no such file"),
        entry("SQLCODE -805 package not found"),
        entry("SQLCODE 100 no row"),
        entry("U4038 of Language Environment"),
        entry("HRESULT 0x80070005 access denied"),
        entry("S806 module not found"),
        entry("CICS RESP 16 invalid request"),
    )


@pytest.mark.parametrize(
    ("q", "codes"),
    [
        ("file status 3", ["FS35"]),
        ("FILE STATUS 35", ["FS35"]),
        ("file status 4", []),
        ("sqlcode -8", ["-805"]),
        ("sqlcode 80", ["-805"]),
        ("abend s8", ["S806"]),
        ("abend 80", ["S806"]),
        ("user abend 40", ["U4038"]),
        ("module s80", ["S806"]),
        ("0x8", ["0x80070005"]),
        ("error 0X8007", ["0x80070005"]),
        ("0x9", []),
        ("eibresp 1", ["RESP 16"]),
        ("S806 in step 0", []),
        ("the data 8", []),
        ("module s", []),
    ],
)
def test_codes_of_several_words(coded: IndexReader, q: str, codes: list[str]) -> None:
    """A code that has been begun is found by the words before it, and not by any code there."""
    assert [text for kind, text in suggested(coded, q) if kind == "code"] == codes


def test_a_code_is_shown_as_it_is_found(coded: IndexReader) -> None:
    """Who takes a suggestion searches for its text."""
    for q in ("fs", "-8", "s8", "u4", "0x8", "resp"):
        (code,) = (text for kind, text in suggested(coded, q) if kind == "code")
        assert ask(coded, code).hits[0].matched == "code"


def test_hashes_of_commits_are_no_codes_to_choose(fill: Fill) -> None:
    """However many entries name one; a code of hexadecimal digits is still there."""
    hashes = ("E1A8B1AD58", "C0FFEE1", "C0A1B2C3D4", "E1B2C3D4", "C0DE1A2B3C", "C0E1F2A3B4C5")
    reader = fill(
        *(entry(f"Fix {one} again {number}") for one in hashes for number in range(2)),
        *(entry(f"{code} seen") for code in ("0xC0000005", "0xC000021A", "E11000", "0x8024402C")),
    )
    for q, codes in (("c0", {"C0000005", "C000021A"}), ("e1", {"E11000"}), ("0x8", {"0x8024402C"})):
        assert {text for kind, text in suggested(reader, q) if kind == "code"} == codes
    assert ask(reader, "E1A8B1AD58").hits[0].matched == "code"


def test_each_kind_is_there(reader: IndexReader) -> None:
    """Entries carry their id, codes and tags how many entries have them."""
    reply = Suggestions(**orjson.loads(reader.suggest(Suggest(q="data"))))
    assert [(one.kind, one.text) for one in reply.suggestions] == [
        ("entry", "Data set not found"),
        ("entry", "The data base is away"),
        ("entry", "S0C7 data exception"),
        ("tag", "data"),
    ]
    assert isinstance(reply.suggestions[0].id, UUID)
    assert reply.suggestions[-1].entries == 1


def test_a_limit_holds(reader: IndexReader) -> None:
    """No more than was asked for."""
    assert len(suggested(reader, "da", limit=2)) == 2


@pytest.mark.parametrize("q", ["zz", "  ", "\0\0", '"(', "**", "x" * 200, "😀😀", "a b " * 50])
def test_nothing_typed_is_an_error(reader: IndexReader, q: str) -> None:
    """Whatever is typed is answered."""
    assert suggested(reader, q) == []
