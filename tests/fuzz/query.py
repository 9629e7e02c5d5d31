"""Feeds the reader of queries with whatever finds new ways through it: `make fuzz MINUTES=10`.

Each text is read, told, built and searched in a small index; an error or a second of work is a
finding, and the text is kept in a file `crash-...` or `timeout-...`.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["storage.index"]):
    from contracts.position import Position
    from contracts.search import SearchQuery
    from storage.index.searcher import IndexReader
    from storage.index.told import SHOWN_MAX
    from storage.index.writer import IndexDocument, IndexWriter

import orjson

SEEDS = (
    *("S0C7", "-805 OR SQLCODE +100", '"not in catalog" -test', "(vsam AND open) NOT close^2"),
    *("category:(db2 OR vsam) usage:10..50", 'title:"data set"* updated:[2026-01 TO *]'),
    *("abend* ab?nd catalgo~2 file status = '35'", "IEF450I A B - ABEND=S0C7 U0000\nnext line"),
)


def main() -> None:
    """Fuzz until told to stop (libFuzzer's -max_total_time, in seconds)."""
    with tempfile.TemporaryDirectory() as name:
        reader = small_index(Path(name) / "index")
        seeds = Path(name) / "seeds"
        seeds.mkdir()
        for number, seed in enumerate(SEEDS):
            (seeds / str(number)).write_text(seed)

        def one(data: bytes) -> None:
            text = data.decode("utf-8", "surrogateescape")
            reply = orjson.loads(reader.search(SearchQuery.model_construct(q=text)))
            assert len(reply["hits"]) <= reply["total"] <= 3
            assert len(reply["interpreted_as"]) <= SHOWN_MAX

        atheris.Setup([*sys.argv, str(seeds)], one)
        atheris.Fuzz()


def small_index(root: Path) -> IndexReader:
    """Three entries."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    writer = IndexWriter.build_new(root)
    texts = ("S0C7 data exception", "data set not in catalog", "SQLCODE -805 package not found")
    writer.apply(
        [
            IndexDocument(f"{n}", text, text, text, "Batch", "high", ("night",), 1, now)
            for n, text in enumerate(texts)
        ],
        (),
    )
    writer.commit(Position("e", 1, 1))
    return IndexReader(root)


if __name__ == "__main__":
    main()
