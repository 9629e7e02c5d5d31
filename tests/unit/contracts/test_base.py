"""What is wrong with a request is said in words of the request."""

from typing import Annotated

import pytest
from pydantic import Field, StringConstraints, ValidationError

from contracts.base import Contract, Text, field_errors


class Note(Contract):
    """A text and a list."""

    text: Annotated[Text, StringConstraints(min_length=1, max_length=3)] = "a"
    name: Annotated[Text, Field(min_length=2)] = "ab"
    tags: Annotated[tuple[str, ...], Field(max_length=1)] = ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": "abcd"}, "String should have at most 3 characters"),
        ({"text": ""}, "String should have at least 1 character"),
        ({"name": "a"}, "String should have at least 2 characters"),
        ({"text": "\0"}, "contains a NUL character (U+0000), which can't be stored"),
        (
            {"text": "a\ud800"},
            "contains half a character (a lone surrogate), which can't be stored",
        ),
        ({"tags": ["a", "b"]}, "List should have at most 1 item, not 2"),
    ],
)
def test_texts_have_characters_and_lists_have_items(given: dict[str, object], said: str) -> None:
    """A limit of a text speaks of characters, whichever way it was declared."""
    with pytest.raises(ValidationError) as refused:
        Note.model_validate(given)
    (error,) = field_errors(refused.value.errors(include_url=False, include_context=False))
    assert error["message"] == said
