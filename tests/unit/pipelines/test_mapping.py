"""Mappings: a source's fields as an entry's."""

import pytest

from contracts.errors import MappingInvalid
from pipelines.mapping import apply_mapping, parse_mapping

ROW = {"_id": "a1", "title": "T", "text": "body", "metadata": {"category": "games", "tags": ["x"]}}


def test_paths_reach_into_objects() -> None:
    """Dotted paths are followed, fields of the same name are kept, the rest is left out."""
    mapping = parse_mapping(
        ["external_id=_id", "problem=text", "category=metadata.category", "tags=metadata.tags"]
    )
    assert apply_mapping(mapping, ROW) == {
        "external_id": "a1",
        "title": "T",
        "problem": "body",
        "category": "games",
        "tags": ["x"],
    }


def test_templates_join_fields() -> None:
    """A path with braces is a template; what the row does not have is empty."""
    mapping = parse_mapping(["title={_id}: {text}{absent}"])
    assert apply_mapping(mapping, ROW)["title"] == "a1: body"


def test_without_a_mapping_nothing_is_dropped() -> None:
    """Unknown fields stay, so that the worker can reject them by name."""
    assert apply_mapping({}, ROW) is ROW


@pytest.mark.parametrize("pair", ["nonsense=text", "title", "title=", "=x"])
def test_a_mapping_to_nowhere_is_refused(pair: str) -> None:
    """A field that entries don't have, or a pair that is none, is an error before any row."""
    with pytest.raises(MappingInvalid):
        parse_mapping([pair])


def test_a_path_through_text_is_absent() -> None:
    """A path that runs into something that is no object gives nothing."""
    assert "problem" not in apply_mapping(parse_mapping(["problem=title.deeper"]), ROW)
