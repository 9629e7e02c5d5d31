"""An index in a folder of its own for every test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument, IndexWriter
from tests.integration.storage.index.index_helpers import at

Fill = Callable[..., IndexReader]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the index of this test is."""
    return tmp_path / "index"


@pytest.fixture
def writer(root: Path) -> Iterator[IndexWriter]:
    """A new index, not yet published."""
    writer = IndexWriter.build_new(root)
    yield writer
    writer.close()


@pytest.fixture
def fill(root: Path, writer: IndexWriter) -> Fill:
    """Publish these entries, and give a reader for them."""

    def filled(*entries: IndexDocument) -> IndexReader:
        writer.apply(entries, ())
        writer.commit(at(1))
        return IndexReader(root)

    return filled
