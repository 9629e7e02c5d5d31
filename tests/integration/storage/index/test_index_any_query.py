"""Any text is a query: it is understood, built and answered."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.position import Position
from contracts.search import SearchQuery
from storage.index.fields import NAMES
from storage.index.parser import understand
from storage.index.searcher import IndexReader
from storage.index.told import SHOWN_MAX, told
from storage.index.writer import IndexWriter
from tests.integration.storage.index.index_helpers import entry

PIECES = [
    *('"', "(", ")", "-", "+", "!", "*", "?", "~", "~2", "^", "^2", ":", "..", "[", "]", " "),
    *(" AND ", " OR ", " NOT ", "&&", "||", " TO ", ">", "<=", "\n", "\0", "\u202e", "é", "日本"),
    *(f"{name}:" for name in NAMES),
    *("{", "}", "~1", "code:alhpa~", "alp*", "-S0C7", "tag:(", "--long", "+IEF450I", "^9999"),
    *("S0C7", "-805", "FILE STATUS 35", "alpha", "beta", "2026-01-01", "10", "999999999999"),
]
QUERIES = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES)).map("".join))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """Four entries; the last holds no code, but words of codes and of fields."""
    root: Path = tmp_path_factory.mktemp("index")
    writer = IndexWriter.build_new(root)
    codes = [entry("S0C7 alpha", "beta"), entry("FILE STATUS 35")]
    writer.apply([*codes, entry("alpha beta"), entry("code of a file or a tag")], ())
    writer.commit(Position("e", 1, 1))
    yield IndexReader(root)
    writer.close()


@given(q=QUERIES)
@settings(max_examples=300)
def test_any_text_is_answered(reader: IndexReader, q: str) -> None:
    """Whatever is typed: hits, as many as are counted, and one line that says how it was read."""
    reply = orjson.loads(reader.search(SearchQuery.model_construct(q=q, facets=["severity"])))
    assert 0 <= len(reply["hits"]) <= reply["total"] <= 4
    assert reply["total"] == sum(one["count"] for one in reply["facets"]["severity"])
    assert len(reply["interpreted_as"]) <= SHOWN_MAX


@given(q=QUERIES)
def test_any_text_is_understood_the_same_way_twice(q: str) -> None:
    """Reading depends on nothing but the text."""
    assert understand(q) == understand(q)
    assert told(understand(q))
