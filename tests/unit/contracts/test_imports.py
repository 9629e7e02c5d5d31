"""Rows as sources write them."""

import pytest
from pydantic import ValidationError

from contracts.imports import ImportedEntry


def test_custom_fields_may_be_text() -> None:
    """CSV, and so our own export as CSV, has them as JSON in one cell."""
    row = {"title": "one", "custom": '{"team": "payroll"}'}
    assert ImportedEntry.model_validate(row).custom == {"team": "payroll"}


@pytest.mark.parametrize("custom", ["{", "[1]", "text", '"text"', "[" * 100_000])
def test_custom_fields_that_are_no_object_are_refused(custom: str) -> None:
    """The field is named."""
    with pytest.raises(ValidationError) as refused:
        ImportedEntry.model_validate({"title": "one", "custom": custom})
    assert refused.value.errors()[0]["loc"] == ("custom",)
