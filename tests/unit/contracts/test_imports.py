"""Rows as sources write them."""

import pytest
from pydantic import ValidationError

from contracts.base import field_errors
from contracts.imports import ExportedEntry, ImportedEntry
from tests.support.deep import nested


def test_custom_fields_may_be_text() -> None:
    """CSV, and so our own export as CSV, has them as JSON in one cell."""
    row = {"title": "one", "custom": '{"team": "payroll"}'}
    assert ImportedEntry.model_validate(row).custom == {"team": "payroll"}


@pytest.mark.parametrize("number", ["123456789012345678901234567890", "-1e19", "[[1e20]]"])
def test_numbers_beyond_64_bits_are_refused(number: str) -> None:
    """Their digits would be lost, so the row is a reject that says what to do."""
    with pytest.raises(ValidationError, match="write it as text") as refused:
        ImportedEntry.model_validate({"title": "one", "custom": f'{{"n": {number}}}'})
    assert refused.value.errors()[0]["loc"] == ("custom",)


def test_numbers_of_64_bits_are_kept() -> None:
    """To the last digit."""
    custom = {"most": 2**64 - 1, "least": -(2**63), "float": 1.5e-300}
    row = {"title": "one", "custom": custom}
    assert ImportedEntry.model_validate(row).custom == custom


def test_custom_fields_have_a_hundred_levels() -> None:
    """Deeper ones are refused: many clients could not read them. Objects and lists count alike."""
    for fits in (nested(100), {"a": [nested(98), 1]}):
        assert ImportedEntry.model_validate({"title": "one", "custom": fits}).custom == fits
    for deep in (nested(101), {"a": [nested(99), 1]}, nested(250)):
        with pytest.raises(ValidationError, match="deeper than 100 levels") as refused:
            ImportedEntry.model_validate({"title": "one", "custom": deep})
        assert refused.value.errors()[0]["loc"] == ("custom",)


def test_what_is_kept_goes_out_as_it_is() -> None:
    """Custom fields of an earlier release: deeper, or with a number that has lost digits."""
    for custom in (nested(250), {"n": 1e20}):
        assert ExportedEntry.model_validate({"title": "one", "custom": custom}).custom == custom


@pytest.mark.parametrize("custom", ["{", "[1]", "text", '"text"', "[" * 100_000])
def test_custom_fields_that_are_no_object_are_refused(custom: str) -> None:
    """The field is named."""
    with pytest.raises(ValidationError) as refused:
        ImportedEntry.model_validate({"title": "one", "custom": custom})
    assert refused.value.errors()[0]["loc"] == ("custom",)


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"tags": ["a", None, "b"]}, "tags.1"),
        ({"tags": '["a,b", null]'}, "tags.1"),  # as CSV has it
        ({"external_id": "1", "related": ["2", None]}, "related.1"),
    ],
)
def test_null_in_a_list_is_refused_by_its_place(row: dict[str, object], place: str) -> None:
    """Nobody knows whether a tag was lost there: the row says where, and what is wrong."""
    with pytest.raises(ValidationError) as refused:
        ImportedEntry.model_validate({"title": "one"} | row)
    (error,) = field_errors(refused.value.errors(include_url=False, include_context=False))
    assert (error["field"], error["message"]) == (place, "can't be null")
