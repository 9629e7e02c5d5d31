"""Rows that are no entries: which of their errors is told."""

from typing import Any

import pytest

from actors.rows import validate
from contracts.base import new_id
from contracts.imports import ImportChunk, ImportRow


def told(data: dict[str, Any]) -> tuple[str, str, str]:
    """Field, code and message of the row's reject."""
    rows = (ImportRow(line=1, data=data),)
    _, (reject,) = validate(ImportChunk(import_id=new_id(), chunk=0, digest="0", rows=rows))
    return reject.field, reject.code, reject.message


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        (
            {"External_ID": "1", "Title": "a title", "Problem": "x"},
            "External_ID",
            "entries have no such field; external_id is one (and 3 more errors)",
        ),
        (
            {"titel": "a title"},
            "titel",
            "entries have no such field; title is one (and 1 more error)",
        ),
        ({"title": "a title", "colour": "red"}, "colour", "entries have no such field"),
    ],
)
def test_an_unknown_field_is_told_first(data: dict[str, Any], field: str, message: str) -> None:
    """Not the field that is missing because of it; a name that is nearly ours is said."""
    assert told(data) == (field, "EXTRA_FORBIDDEN", message)


def test_other_errors_are_told_in_their_order() -> None:
    """What is missing where no field is unknown."""
    assert told({"problem": "x"}) == ("title", "MISSING", "Field required")
