"""Shapes: a source's fields as an entry's."""

from typing import Any

import pytest

from contracts.errors import MappingInvalid
from contracts.mappings import Shape
from pipelines.mapping import NotText, name_in, parse_shape, shaper

ROW = {"_id": "a1", "title": "T", "text": "body", "metadata": {"category": "games", "tags": ["x"]}}


def mapped(*pairs: str, row: dict[str, Any] | None = None) -> dict[str, Any]:
    """The row under this mapping."""
    return shaper(parse_shape(pairs))(ROW if row is None else row)


def test_paths_reach_into_objects() -> None:
    """Dotted paths are followed, fields of the same name are kept, the rest is left out."""
    assert mapped("problem=text", "category=metadata.category", "tags=metadata.tags") == {
        "external_id": "a1",
        "title": "T",
        "problem": "body",
        "category": "games",
        "tags": ["x"],
    }


def test_paths_reach_into_lists() -> None:
    """A number is a place in a list, from 0; beyond its end is nothing."""
    row = {"title": "T", "names": [{"first": "one"}, "two"]}
    assert mapped("problem=names.0.first", row=row)["problem"] == "one"
    assert mapped("problem=names.1", row=row)["problem"] == "two"
    for path in ("names.2", "names.-1", "names.x", "title.0", f"names.{'9' * 400}"):
        assert "problem" not in mapped(f"problem={path}", row=row)


def test_templates_join_fields() -> None:
    """A path with braces is a template; what the row does not have is empty."""
    assert mapped("title={_id}: {text}{absent}")["title"] == "a1: body"


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"sys": "a", "num": 0}, "W-a/0"),
        ({"sys": "a"}, None),
        ({"sys": "a", "num": None}, None),
        ({"sys": " ", "num": 1}, None),
        ({}, None),
    ],
)
def test_an_id_that_lacks_a_part_is_none(row: dict[str, Any], name: str | None) -> None:
    """Else it would be the id of every row that lacks it, and the last of them would be all."""
    shape = parse_shape(["external_id=W-{sys}/{num}"])
    assert shaper(shape)(row).get("external_id") == name == name_in(row, shape)


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (-1.5, "-1.5"), (True, "true"), (False, "false"), (0, "0")]
)
def test_numbers_and_booleans_become_text(value: Any, text: str) -> None:
    """Where text is due, and in templates, they are written as JSON writes them."""
    assert mapped("problem=n", "title=<{n}>", row={"n": value}) == {
        "problem": text,
        "title": f"<{text}>",
    }


@pytest.mark.parametrize(
    ("pair", "field"),
    [
        ("problem=metadata", "problem"),
        ("title=metadata.tags", "title"),
        ("title={metadata} x", "title"),
        ("external_id=metadata", "external_id"),
        ("tags=metadata", "tags"),
        ("tags=nested", "tags"),
        ("external_id=huge", "external_id"),
    ],
)
def test_what_is_no_text_is_refused_by_field(pair: str, field: str) -> None:
    """An object or a list where text is due, and a number that has lost digits, name the field."""
    row = ROW | {"nested": [["x"]], "huge": 1.2345678901234568e29}
    with pytest.raises(NotText) as refused:
        mapped(pair, row=row)
    assert refused.value.field == field


def test_without_a_mapping_nothing_is_dropped() -> None:
    """Unknown fields stay, so that the worker can reject them by name."""
    row = {"title": "T", "colour": "red"}
    assert shaper(Shape())(row) is row


@pytest.mark.parametrize(
    ("row", "external_id"),
    [
        ({"_id": "a", "id": "b"}, "a"),
        ({"id": 7}, 7),
        ({"id": 0}, 0),
        ({"external_id": "own", "_id": "a"}, "own"),
        ({"external_id": None, "id": "b"}, "b"),
    ],
)
def test_an_id_of_another_name_is_taken(row: dict[str, Any], external_id: Any) -> None:
    """`_id`, else `id`, is the external id where nothing else is; a mapping says otherwise."""
    assert shaper(Shape())(row)["external_id"] == external_id
    assert mapped("title=t", row=row)["external_id"] == external_id
    assert mapped("external_id=t", row={**row, "t": "mapped"})["external_id"] == "mapped"


def test_an_id_of_another_name_is_no_field() -> None:
    """`_id` is left out once it is the external id, or where the row has one of its own."""
    for row in ({"_id": "a"}, {"external_id": "a", "_id": "b"}, {"external_id": None, "_id": "a"}):
        assert shaper(Shape())(row) == {"external_id": "a"}
    assert shaper(Shape())({"external_id": "a", "id": 1}) == {"external_id": "a", "id": 1}


def test_defaults_fill_what_is_missing() -> None:
    """A default applies where the source has nothing, null or an empty text; not elsewhere."""
    shape = parse_shape(defaults=["category=Batch", "tags=a,b", "severity=low"])
    row = {"title": "T", "category": "", "severity": "high"}
    assert shaper(shape)(row) == {
        "title": "T",
        "category": "Batch",
        "tags": "a,b",
        "severity": "high",
    }


def test_texts_are_split() -> None:
    """The separator may be anything; parts are stripped and empty ones left out."""
    for separator, text in ((";", "a; b;;"), ("|", "a|b"), (" ", " a  b "), ("\\t", "a\tb")):
        shape = parse_shape(splits=[f"tags={separator}"])
        assert shaper(shape)({"tags": text})["tags"] == ["a", "b"]
    assert shaper(parse_shape(splits=["tags=;"]))({"tags": ["a;b"]})["tags"] == ["a;b"]


@pytest.mark.parametrize(
    "options",
    [
        {"mapping": ["nonsense=text"]},
        {"mapping": ["title"]},
        {"mapping": ["title="]},
        {"mapping": ["=x"]},
        {"mapping": [f"title={'x' * 501}"]},
        {"mapping": ["title=a\0"]},
        {"defaults": ["nonsense=1"]},
        {"defaults": ["severity=awful"]},
        {"defaults": ["title=ab"]},
        {"defaults": ["external_id=same"]},
        {"mapping": ["title={t"]},
        {"mapping": ["title=t}"]},
        {"mapping": ["title={a} {}"]},
        {"mapping": ["title={{a}}"]},
        {"mapping": ["title=a", "title=b"]},
        {"defaults": ["category=a", "category=b"]},
        {"splits": ["tags=;", "tags=|"]},
        {"splits": ["title=;"]},
        {"splits": ["tags="]},
    ],
)
def test_a_shape_to_nowhere_is_refused(options: dict[str, list[str]]) -> None:
    """What no entry can have is an error before any row."""
    with pytest.raises(MappingInvalid):
        parse_shape(**options)


def test_a_path_through_text_is_absent() -> None:
    """A path that runs into something that is no object gives nothing."""
    assert "problem" not in mapped("problem=title.deeper")


def test_what_is_said_here_goes_before_what_is_saved() -> None:
    """Of two shapes the nearer one counts, field by field."""
    saved = parse_shape(["title=a", "problem=b"], ["category=X"], ["tags=;"])
    own = parse_shape(["title=c"], ["severity=low"])
    assert own.over(saved) == parse_shape(
        ["title=c", "problem=b"], ["category=X", "severity=low"], ["tags=;"]
    )


def test_what_others_call_a_source_is_none() -> None:
    """With a mapping `source` and `related` are taken only where it names them."""
    data = {"title": "abc", "source": "web", "related": [{"url": "x"}], "links": ["a", "b"]}
    assert shaper(parse_shape(["problem=title"]))(data) == {"title": "abc", "problem": "abc"}
    shaped = shaper(parse_shape(["related=links", "source=source"]))(data)
    assert shaped == {"title": "abc", "source": "web", "related": ["a", "b"]}


def test_what_search_servers_add_is_left_out() -> None:
    """Meilisearch's own fields, of a dump or an answer; a mapping may look into them."""
    row = {"title": "one", "_formatted": {"title": "<em>one</em>"}, "_rankingScore": 1}
    row |= {"_vectors": {"default": {}}, "_matchesPosition": {}}
    assert shaper(parse_shape())(row | {"_id": 1}) == {"title": "one", "external_id": 1}
    assert shaper(parse_shape())({"title": "one", "_vector": 1}) == {"title": "one", "_vector": 1}
    assert shaper(parse_shape(["title=_formatted.title"]))(row)["title"] == "<em>one</em>"
