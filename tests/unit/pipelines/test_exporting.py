"""Entries as rows that the importer reads as they were."""

import csv
import io

import pytest

from contracts.imports import ImportedEntry
from pipelines.exporting import cells_of


def through_csv(entry: ImportedEntry) -> ImportedEntry:
    """The entry as it comes back from a CSV."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(ImportedEntry.model_fields))
    table.writeheader()
    table.writerow(cells_of(entry))
    (row,) = csv.DictReader(io.StringIO(text.getvalue(), newline=""))
    return ImportedEntry.model_validate({name: cell for name, cell in row.items() if cell})


@pytest.mark.parametrize(
    "tags",
    [
        (),
        ("plain", "two words"),
        ("p,q",),
        ("p,q", 'with "quotes"', "r"),
        ("[urgent]",),
        ("[urgent]", "x,"),
        ('["looks like JSON"]',),
        ("[1", "2]"),
        ("[", "]"),
        ("line\nend",),
    ],
)
def test_tags_come_back_from_a_cell(tags: tuple[str, ...]) -> None:
    """Whatever stands in them."""
    assert through_csv(ImportedEntry(title="any entry", tags=tags)).tags == tags


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("a, b,,", ("a", "b")),
        ("[urgent], b", ("[urgent]", "b")),
        ("[1,2]", ("[1", "2]")),
        ("[", ("[",)),
        (' ["a,b", "c"]', ("a,b", "c")),
    ],
)
def test_tags_as_people_write_them(text: str, tags: tuple[str, ...]) -> None:
    """A text that begins with a bracket is no JSON for that."""
    assert ImportedEntry.model_validate({"title": "any entry", "tags": text}).tags == tags


def test_plain_tags_are_written_plainly() -> None:
    """As a spreadsheet's reader would."""
    assert cells_of(ImportedEntry(title="any entry", tags=("a", "b c")))["tags"] == "a,b c"
