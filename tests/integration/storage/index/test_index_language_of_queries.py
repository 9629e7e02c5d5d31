"""What the language of queries finds: signs, and words left open in one field."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.index.searcher import IndexReader
from storage.index.writer import IndexWriter
from tests.integration.storage.index.index_helpers import ask, at, entry, titles

ENTRIES = (
    entry("abend S0C7", "the utilization report", tags=("night", "batch")),
    entry("abend S0C4", "a dump", "abended again", tags=("night",)),
    entry("data set not found", "S0C1 of db2", tags=("batch",)),
)
S0C7, S0C4, NOT_FOUND = (one.title for one in ENTRIES)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """Three entries."""
    root: Path = tmp_path_factory.mktemp("index")
    writer = IndexWriter.build_new(root)
    writer.apply(ENTRIES, ())
    writer.commit(at(1))
    yield IndexReader(root)
    writer.close()


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("abend -S0C7", {S0C4}),
        ("-S0C*", set()),
        ("-db2", {S0C7, S0C4}),
        ("-not-found", {S0C7, S0C4}),
        ("data -abnd~", {NOT_FOUND}),
        ("tag:(night AND batch)", {S0C7}),
        ("tag:(night NOT batch)", {S0C4}),
        ("tag:(night batch)", {S0C7, S0C4, NOT_FOUND}),
        ("-tag:(night AND batch)", {S0C4, NOT_FOUND}),
        ("title:ab*nd", {S0C7, S0C4}),
        ("title:abnd~1", {S0C7, S0C4}),
        ("title:dump*", set()),
        ("problem:du?p", {S0C4}),
        ("problem:utiliza*", {S0C7}),
        ("problem:abend*", set()),
        ("solution:aben*", {S0C4}),
        ("problem:dmup~", {S0C4}),
        ("problem:abnd~", set()),
        ("code:S0C*", {S0C7, S0C4, NOT_FOUND}),
        ("code:fou*", {NOT_FOUND}),
        ("code:db*", set()),
        ("code:fuond~", {NOT_FOUND}),
        ("code:dupm~", set()),
        ("title:(ab* -S0C7)", {S0C4}),
    ],
)
def test_it_is_found(reader: IndexReader, q: str, found: set[str]) -> None:
    """What fits, and nothing else; each score is explained."""
    reply = ask(reader, q, explain=True)
    assert {hit.title for hit in reply.hits} == found
    assert {*titles(reader, q)} == found


def test_the_field_is_told_and_explained(reader: IndexReader) -> None:
    """A word that was left open has its field."""
    (hit,) = ask(reader, "problem:du*", explain=True).hits
    assert hit.explanation
    assert [(part.kind, part.field) for part in hit.explanation.parts][:1] == [
        ("pattern", "problem")
    ]
