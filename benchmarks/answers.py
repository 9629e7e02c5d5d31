"""What each part of an answer costs, beside the same search without it, in one process.

    python -m benchmarks.answers FOLDER...

Each FOLDER holds corpus.jsonl.gz and queries.jsonl (BEIR's form). Of each query the best of three
runs counts, the plain search and the others by turns, in CPU time of the searching thread, which
neighbours on the machine disturb least. Prints the mean in ms, and as a ratio to the plain search.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.relevance import build
from benchmarks.search import documents
from contracts.search import SearchQuery
from storage.index.searcher import IndexReader

RUNS = 3
QUERIES = 100
SHAPES: dict[str, dict[str, Any]] = {
    "10 hits": {},
    "without highlights": {"highlight": False},
    "facets: category, severity, status": {"facets": "category,severity,status"},
    "facets: category, tag, severity": {"facets": "category,tag,severity"},
    "all seven facets": {"facets": "category,tag,severity,status,source,author,year"},
    "sort=-usage": {"sort": "-usage"},
    "group=category": {"group": "category"},
    "fields=id": {"fields": "id"},
    "explain": {"explain": True},
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="+", type=Path)
    for folder in arguments.parse_args().folder:
        measure(folder)


def measure(folder: Path) -> None:
    corpus = documents(folder)
    queries = [json.loads(line)["text"] for line in (folder / "queries.jsonl").open()][:QUERIES]
    print(f"{folder.name}: {len(corpus)} entries, {len(queries)} queries")
    with tempfile.TemporaryDirectory() as name:
        build(Path(name), corpus).close()
        reader = IndexReader(Path(name))
        times: dict[str, list[float]] = {shape: [] for shape in SHAPES}
        for query in queries:
            for shape, seconds in once(reader, query).items():
                times[shape].append(seconds)
    plain = statistics.mean(times["10 hits"])
    for shape, taken in times.items():
        mean = statistics.mean(taken)
        print(f"  {shape:36} {mean * 1e3:6.2f} ms  {mean / plain:5.2f} x")


def once(reader: IndexReader, query: str) -> dict[str, float]:
    """Seconds of CPU that each shape of the answer to one query takes, the best of RUNS."""
    best = dict.fromkeys(SHAPES, float("inf"))
    for _ in range(RUNS):
        for shape, options in SHAPES.items():
            request = SearchQuery(q=query, **options)
            begun = time.thread_time()
            reader.search(request)
            best[shape] = min(best[shape], time.thread_time() - begun)
    return best


if __name__ == "__main__":
    main()
