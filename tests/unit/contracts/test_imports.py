"""Rows as sources write them."""

import pytest
from pydantic import ValidationError

from contracts.imports import ImportedEntry


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


@pytest.mark.parametrize("custom", ["{", "[1]", "text", '"text"', "[" * 100_000])
def test_custom_fields_that_are_no_object_are_refused(custom: str) -> None:
    """The field is named."""
    with pytest.raises(ValidationError) as refused:
        ImportedEntry.model_validate({"title": "one", "custom": custom})
    assert refused.value.errors()[0]["loc"] == ("custom",)
