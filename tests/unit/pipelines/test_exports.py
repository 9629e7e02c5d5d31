"""What search servers export and answer, as they write it."""

from typing import Any

import orjson
import pytest

from contracts.mappings import Shape
from pipelines.mapping import shaper
from tests.unit.pipelines.reading import codes, rows, titles


def lines(*objects: Any) -> bytes:
    """NDJSON."""
    return b"".join(orjson.dumps(one) + b"\n" for one in objects)


def pretty(answer: Any) -> bytes:
    """JSON over many lines."""
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2)


def doc(title: str, **fields: Any) -> dict[str, Any]:
    """A document."""
    return {"title": title, **fields}


def ids(data: bytes, **options: Any) -> list[Any]:
    """Title and external id of each row, as they would be stored."""
    shaped = (shaper(Shape())(row) for row in rows(data, **options))
    return [(row["title"], row.get("external_id")) for row in shaped]


def hit(id_: str, title: str) -> dict[str, Any]:
    """A hit of Elasticsearch, a line of elasticdump."""
    return {"_index": "kb", "_type": "_doc", "_id": id_, "_score": 1, "_source": doc(title)}


EXPECTED = [("one", "a"), ("two", "b")]

BULK = lines(
    {"index": {"_index": "kb", "_id": "a"}},
    doc("one"),
    {"create": {"_id": "b"}},
    doc("two"),
)
ANSWER = {
    "took": 3,
    "_shards": {"total": 1, "failures": [{"reason": "[none]"}]},
    "hits": {"total": {"value": 2}, "hits": [hit("a", "one"), hit("b", "two")]},
    "aggregations": {"hits": {"hits": [{"x": 1}]}},
}
MEILISEARCH: dict[str, Any] = {
    "results": [doc("one", id="a"), doc("two", id="b")],
    "offset": 0,
    "limit": 20,
}
MEILISEARCH_SEARCH = {"hits": MEILISEARCH["results"], "query": "", "processingTimeMs": 0}
TYPESENSE = {
    "facet_counts": [],
    "found": 2,
    "hits": [
        {"document": doc("one", id="a"), "highlights": [], "text_match": 1},
        {"document": doc("two", id="b"), "highlight": {}, "text_match": 1},
    ],
    "page": 1,
}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BULK, id="bulk"),
        pytest.param(BULK.rstrip(b"\n").replace(b"\n", b"\r\n"), id="bulk, other line ends"),
        pytest.param(lines(hit("a", "one"), hit("b", "two")), id="elasticdump"),
        pytest.param(orjson.dumps([hit("a", "one"), hit("b", "two")]), id="hits in an array"),
        pytest.param(orjson.dumps(ANSWER), id="Elasticsearch"),
        pytest.param(pretty(ANSWER), id="Elasticsearch, pretty"),
        pytest.param(orjson.dumps(MEILISEARCH), id="Meilisearch"),
        pytest.param(
            orjson.dumps(MEILISEARCH, option=orjson.OPT_INDENT_2), id="Meilisearch, pretty"
        ),
        pytest.param(orjson.dumps(MEILISEARCH_SEARCH), id="Meilisearch search"),
        pytest.param(
            lines(doc("one", id="a"), doc("two", id="b")), id="Meilisearch dump, Typesense"
        ),
        pytest.param(orjson.dumps(TYPESENSE), id="Typesense search"),
        pytest.param(pretty(TYPESENSE), id="Typesense, pretty"),
    ],
)
@pytest.mark.parametrize("name", ["rows", "rows.json", "rows.ndjson"])
def test_exports_are_told_by_their_content(data: bytes, name: str) -> None:
    """The same two documents from each, with their ids, whatever the file is called."""
    assert ids(data, name=name) == EXPECTED


@pytest.mark.parametrize("answer", [ANSWER, MEILISEARCH, MEILISEARCH_SEARCH, TYPESENSE])
def test_long_answers_are_told_too(answer: dict[str, Any]) -> None:
    """An answer that is longer than what is looked at, and one answer after the other."""
    long = orjson.loads(orjson.dumps(answer))
    place = long["hits"] if "hits" in long else long["results"]
    place = place["hits"] if isinstance(place, dict) else place
    place += place * 3000
    assert len(orjson.dumps(long)) > 65_536
    assert len(rows(orjson.dumps(long))) == 6002
    pages = orjson.dumps(answer) + b"\n" + orjson.dumps(answer)
    assert ids(pages) == EXPECTED * 2


def test_a_row_with_hits_is_a_row() -> None:
    """Fields that are called like an answer's make no answer of a line."""
    data = lines(doc("one", results=[doc("inner")]), doc("two", hits=[1], document={"a": 1}))
    assert titles(data) == ["one", "two"]
    assert titles(lines({"index": "x"}, doc("one"))) == [None, "one"]


def test_a_format_may_be_forced() -> None:
    """What the content seems to be is not asked then."""
    data = orjson.dumps(MEILISEARCH)
    assert titles(data, kind="ndjson") == [None]
    assert titles(orjson.dumps({"results": [doc("one")]}), kind="hits") == ["one"]
    assert codes(BULK[:-4], kind="ndjson") == [(4, "JSON_UNREADABLE")]
    assert codes(b"5", kind="hits") == [(1, "JSON_UNREADABLE")]


def test_an_update_is_no_whole_document() -> None:
    """A row is a whole entry: what a `doc` does not name would be emptied without a word."""
    data = lines(
        {"index": {"_id": "a"}},
        doc("one", problem="seen"),
        {"update": {"_id": "a"}},
        {"doc": doc("new title")},
        {"update": {"_id": "b"}},
        {"doc": doc("as upsert"), "doc_as_upsert": True},
        {"update": {"_id": "c"}},
        {"script": "ctx._source.n++"},
    )
    assert titles(data) == ["one", "BULK_UPDATE", "BULK_UPDATE", "BULK_UPDATE"]
    assert [line for line, _ in codes(data)] == [4, 6, 8]


def test_bulk_lines_that_are_wrong() -> None:
    """Each is a reject with its line; pairs that follow are read."""
    data = lines({"index": {"_id": "a"}}, doc("one"), {"delete": {"_id": "x"}}, doc("astray"))
    data += b"not json\n" + lines({"index": {}}) + b"{cut\n" + lines({"index": {}}, doc("last"))
    data += lines({"index": {"_id": "end"}})
    assert titles(data) == [
        "one",
        "BULK_DELETE",
        "BULK_NO_ACTION",
        "JSON_UNREADABLE",
        "JSON_UNREADABLE",
        "last",
        "BULK_NO_DOCUMENT",
    ]
    assert [line for line, _ in codes(data)] == [3, 4, 5, 7, 11]


@pytest.mark.parametrize("answer", [ANSWER, MEILISEARCH, TYPESENSE])
def test_an_answer_that_was_cut(answer: dict[str, Any]) -> None:
    """Wherever it is cut, what was whole is a row, and the end is one reject."""
    whole = orjson.dumps(answer)
    for cut in range(whole.index(b'"two"') + 5, len(whole) - 1):
        given = titles(whole[:cut], kind="hits")
        assert given[0] == "one"
        assert given[-1] == "JSON_UNREADABLE"
        assert len(given) in (2, 3)
