"""Relevance and speed of the search index on judged sets, beside SQLite's FTS5 in the same run.

    python -m benchmarks.relevance FOLDER...

Each FOLDER holds corpus.jsonl.gz, queries.jsonl and qrels.tsv (BEIR's form). Prints nDCG@10 and
R@100, p50 and p99 in ms of a search of 10 hits, and what a build and an update cost.
"""

import argparse
import gzip
import json
import math
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.position import Position
from contracts.search import SearchQuery
from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument, IndexWriter

BATCH = 5_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Ranker = Callable[[str], list[str]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="+", type=Path)
    arguments.add_argument("--peer", action="store_true", help="run SQLite FTS5 as well")
    options = arguments.parse_args()
    for folder in options.folder:
        measure(folder, options.peer)


def measure(folder: Path, peer: bool) -> None:
    with gzip.open(folder / "corpus.jsonl.gz") as lines:
        corpus = [document(json.loads(line)) for line in lines]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").open()]
    wanted: dict[str, set[str]] = defaultdict(set)
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, entry, score = line.split("\t")
        if int(score) > 0:
            wanted[query].add(entry)
    print(f"{folder.name}: {len(corpus)} entries, {len(queries)} queries")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        writer = build(root, corpus)
        reader = IndexReader(root)

        def ask(q: str, limit: int = 100, highlight: bool = False) -> list[str]:
            reply = reader.search(SearchQuery(q=q, limit=limit, highlight=highlight))
            return [hit["id"] for hit in json.loads(reply)["hits"]] if limit == 100 else []

        relevance("casebook", queries, wanted, ask)
        speed("10 hits", queries, lambda q: ask(q, 10))
        speed("10 hits, highlights", queries, lambda q: ask(q, 10, True))
        speed("10 hits again", queries, lambda q: ask(q, 10))
        update(writer, reader, corpus)
        speed("10 hits, after updates", queries, lambda q: ask(q, 10))
        begun = time.perf_counter()
        count = sum(1 for _ in reader.ids_and_versions())
        print(f"  verify: {count} ids in {time.perf_counter() - begun:.2f} s")
        writer.close()
    if peer:
        relevance("FTS5 porter", queries, wanted, fts5(corpus))


def document(row: dict[str, Any]) -> IndexDocument:
    about = row.get("metadata", {})
    tags = tuple(about.get("tags", ()))
    category = about.get("category", "Other")
    return IndexDocument(
        row["_id"], row["title"], row["text"], "", category, "medium", tags, 1, NOW
    )


def build(root: Path, corpus: list[IndexDocument]) -> IndexWriter:
    begun = time.perf_counter()
    writer = IndexWriter.build_new(root)
    for start in range(0, len(corpus), BATCH):
        writer.apply(corpus[start : start + BATCH], ())
    writer.commit(Position("bench", 1, 1))
    took = time.perf_counter() - begun
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    print(f"  build: {len(corpus) / took:,.0f} entries/s, {size / 1e6:.0f} MB; {memory()}")
    return writer


def relevance(
    name: str, queries: list[dict[str, str]], wanted: dict[str, set[str]], rank: Ranker
) -> None:
    gains, recalls = [], []
    for query in queries:
        right, found = wanted[query["_id"]], rank(query["text"])
        gain = sum(1 / math.log2(n + 2) for n, key in enumerate(found[:10]) if key in right)
        best = sum(1 / math.log2(n + 2) for n in range(min(10, len(right))))
        gains.append(gain / best)
        recalls.append(len(right & set(found[:100])) / len(right))
    print(f"  {name}: nDCG@10 {statistics.mean(gains):.3f}, R@100 {statistics.mean(recalls):.3f}")


def speed(name: str, queries: list[dict[str, str]], rank: Ranker) -> None:
    times = []
    for query in queries:
        begun = time.perf_counter()
        rank(query["text"])
        times.append(time.perf_counter() - begun)
    print(f"  {name}: {spread(times)}")


def update(writer: IndexWriter, reader: IndexReader, corpus: list[IndexDocument]) -> None:
    """One entry changed, committed and found by a reader, again and again."""
    times = []
    for number, entry in enumerate(corpus[:60]):
        begun = time.perf_counter()
        writer.apply([entry._replace(title=f"{entry.title} changed{number}")], ())
        writer.commit(Position("bench", 2, number))
        reader.search(SearchQuery(q=f"changed{number}", limit=1, highlight=False))
        times.append(time.perf_counter() - begun)
    print(f"  changed to searchable: {spread(times)}; {memory()}")


def fts5(corpus: Iterable[IndexDocument]) -> Ranker:
    base = sqlite3.connect(":memory:")
    base.execute(
        "create virtual table entry using fts5(id unindexed, title, body, tokenize=porter)"
    )
    rows = ((entry.id, entry.title, entry.problem) for entry in corpus)
    base.executemany("insert into entry values (?, ?, ?)", rows)

    def ask(q: str) -> list[str]:
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", q))
        found = "select id from entry where entry match ? order by bm25(entry) limit 100"
        return [row[0] for row in base.execute(found, (words,))] if words else []

    return ask


def spread(times: list[float]) -> str:
    ordered = sorted(times)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms"


def memory() -> str:
    if sys.platform != "linux":
        return ""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kept = {line.split()[0]: int(line.split()[1]) // 1024 for line in lines}
    return f"PSS {kept['Pss:']} MB, of it files {kept['Pss_File:']} MB"


if __name__ == "__main__":
    main()
