"""Searches over HTTP through shim, queue and worker, beside the same search in FastAPI processes.

    python -m benchmarks.search [--folder FOLDER] [--seconds S] [--part PART]

with `wrk` on the PATH. FOLDER holds corpus.jsonl(.gz) and queries.jsonl (BEIR's form); without one
a corpus of 64,533 entries is made up. One table: requests/s and times at 16 and 64 clients without
any cache, with 1 and 2 workers and shims (`path`, path.py), then a log of the queries by Zipf's law
with the cache on and off (`zipf`). Below it what the path adds to a lone search (`added`, in
added.py), and a hot answer beside a route that says hello (`hot`, hot.py). A PART is one of these
four words.

CPU is what a request costs in each kind of process: other work on the machine weighs on the rates,
and hardly on that. Linux only.
"""

import argparse
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from uuid import NAMESPACE_OID, uuid5

import orjson

from benchmarks import added, corpus, hot, path, pieces
from benchmarks.judged import load
from benchmarks.path import NO_CACHE, Asked, Row
from benchmarks.pieces import Ground
from contracts.position import Position
from storage.index.writer import IndexDocument, IndexWriter

SECONDS = 3
ZIPF = 20_000  # requests of the log
PARTS = ("path", "zipf", "added", "hot")
FEW = 50  # queries that everybody asks


def index(root: Path, folder: Path | None) -> list[str]:
    """Build the index; the queries to ask."""
    writer = IndexWriter.build_new(root)
    writer.apply(list(documents(folder)), ())
    writer.commit(Position("bench", 1, 1))
    writer.close()
    return corpus.queries(folder / "queries.jsonl" if folder else None)


def documents(folder: Path | None) -> list[IndexDocument]:
    """The corpus as it is indexed."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    if folder is not None:
        rows = [(key, *rest) for key, *rest in load(folder).documents]
    else:
        draw = random.Random(corpus.SEED)
        made = (orjson.loads(corpus.row(draw, number)) for number in range(corpus.COUNT))
        rows = [
            (r["_id"], r["title"], r["text"], r["metadata"]["tags"], r["metadata"]["category"])
            for r in made
        ]
    return [
        IndexDocument(
            str(uuid5(NAMESPACE_OID, key)), title, text, "", area, "medium", tuple(tags), 1, now
        )
        for key, title, text, tags, area in rows
    ]


def zipf(on: Ground, texts: Sequence[str], folder: Path, seconds: int) -> list[Row]:
    """A log in which the n-th query is asked for 1/n as often as the first."""
    draw = random.Random(corpus.SEED)
    weights = [1 / (place + 1) for place in range(len(texts))]
    paths = written(draw.choices(texts, weights, k=ZIPF), folder / "zipf")
    rows = []
    with pieces.casebook(on) as running:
        for name, headers in (("Zipf, no cache", (NO_CACHE,)), ("Zipf, cache as it is", ())):
            log = Asked(running, "/v1/search", paths, *headers)
            log.turn(16, seconds)  # to warm up
            log = Asked(running, "/v1/search", paths, *headers)
            log.turn(16, seconds)
            rows.append(log.row(name, 16))
    return rows


def written(texts: Sequence[str], file: Path) -> Path:
    """The queries as wrk's script reads them."""
    file.write_text("\n".join("?" + urlencode({"q": text[:500]}) for text in texts))
    return file


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--folder", type=Path, help="corpus.jsonl(.gz) and queries.jsonl")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="a turn (%(default)s)")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this (all)")
    options = parser.parse_args()
    parts = options.part or PARTS
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        texts = index(data / "index", options.folder)
        paths = written(texts, folder / "paths")
        rows: list[Row] = []
        with pieces.ground(data) as on:
            if "path" in parts:
                rows += path.compare(on, paths, options.seconds)
            if "zipf" in parts:
                rows += zipf(on, texts, folder, options.seconds)
            if rows:
                print(path.table(rows))
            if "added" in parts:
                print(added.compare(on, paths.read_text().splitlines()))
            if "hot" in parts:
                few = written(texts[:FEW], folder / "few")
                print(*hot.compare(on, few, options.seconds), sep="\n")


if __name__ == "__main__":
    main()
