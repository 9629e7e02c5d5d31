"""Relevance and speed of search on judged sets, beside its peers in the same run.

    python -m benchmarks.relevance FOLDER... [--peers fts5 bm25s lucene postgres] [--lucene JAR]
                                            [--semantic]

Each FOLDER holds corpus.jsonl or corpus.jsonl.gz, queries.jsonl and qrels.tsv (BEIR's form). Prints
nDCG@10, R@100 and the times of a search of 10 hits, and of ours also what a build and an update
cost. With --semantic also ours by meaning and by both, with the local provider as it is set up by
default; what is near is then looked up exactly, where PostgreSQL's HNSW may pass something over.
Ours is asked as a worker asks it, without queue and HTTP; peers run in this process, Lucene
and PostgreSQL in one of their own. Lucene's classes are in a jar of PyPI's `pyserini` (`pip
download --no-deps pyserini`, then unpack `pyserini/resources/jars/anserini-*-fatjar.jar`).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

import numpy
import orjson

from actors.semantic import SAMPLE
from benchmarks import search_peers
from benchmarks.judged import Collection, Ranker, load, missing
from benchmarks.worth import Worth, measure
from contracts.position import Position
from contracts.search import FusedQuery, SearchQuery
from pipelines.searching import NEAR
from storage.embedding.provider import Embedding
from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument, IndexWriter

BATCH = 5_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS = "casebook"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="+", type=Path)
    choices = ("fts5", "bm25s", "lucene", "postgres")
    arguments.add_argument("--peers", nargs="*", default=(), choices=choices)
    arguments.add_argument("--lucene", type=Path, help="a jar with Lucene's classes")
    arguments.add_argument("--semantic", action="store_true", help="ours by meaning, too")
    options = arguments.parse_args()
    if "lucene" in options.peers and options.lucene is None:
        arguments.error("--peers lucene needs --lucene JAR")
    for folder in options.folder:
        if names := missing(folder):
            arguments.error(f"{folder} has no {', '.join(names)}: it is no judged collection")
    for folder in options.folder:
        collection = load(folder)
        compare(collection, chosen(options.peers, options.lucene))
        if options.semantic:
            compare_modes(collection)


def chosen(names: list[str], jar: Path) -> dict[str, search_peers.Peer]:
    """The peers of these names, by what they are called in the table."""
    peers: dict[str, search_peers.Peer] = {}
    if "fts5" in names:
        peers["SQLite FTS5, porter, title 2"] = search_peers.fts5
    if "bm25s" in names:
        peers["bm25s"] = search_peers.python_bm25
    if "lucene" in names:
        peers["Lucene, one field"] = search_peers.lucene(jar, "all=1")
        peers["Lucene, title 2"] = search_peers.lucene(jar, "title=2", "text=1")
    if "postgres" in names:
        peers["PostgreSQL ts_rank_cd"] = search_peers.postgres
    return peers


def compare(collection: Collection, peers: dict[str, search_peers.Peer]) -> None:
    count, asked = len(collection.documents), len(collection.queries)
    print(f"{collection.name}: {count:,} entries, {asked:,} queries")
    found: dict[str, Worth] = {}
    for name, peer in ({OURS: ours} | peers).items():
        with peer(collection) as rank:
            found[name] = worth = measure(collection, rank)
        times = [f"{worth.percentile(part) * 1e3:.2f}" for part in (0.5, 0.99)]
        quality = f"nDCG@10 {worth.ndcg:.3f}, R@100 {worth.recall:.3f}"
        print(f"  {name:28} {quality}, p50 {times[0]} ms, p99 {times[1]} ms", flush=True)
    own = found.pop(OURS)
    if found:
        ndcg, recall = max(w.ndcg for w in found.values()), max(w.recall for w in found.values())
        print(
            f"  ours to the best: nDCG@10 x{own.ndcg / ndcg:.3f}, R@100 x{own.recall / recall:.3f}"
        )


def compare_modes(collection: Collection) -> None:
    """By words, by meaning, by both: one index, one model."""
    keys = [key for key, *_ in collection.documents]
    begun = time.perf_counter()
    near = Near(collection)
    print(f"  model and vectors: {time.perf_counter() - begun:.0f} s")
    corpus = [
        IndexDocument(str(uuid(key)), title, text, "", category, "medium", tags, 1, NOW)
        for key, title, text, tags, category in collection.documents
    ]
    known = {str(uuid(key)): key for key in keys}
    with tempfile.TemporaryDirectory() as name:
        writer = build(Path(name), corpus)
        reader = IndexReader(Path(name))
        for mode in ("lexical", "semantic", "hybrid"):

            def rank(q: str, limit: int, mode: str = mode) -> list[str]:
                asked = {"q": q, "limit": limit, "highlight": False}
                request = SearchQuery(**asked)
                if mode != "lexical":
                    request = FusedQuery(
                        **asked, mode=mode, near=near.ids(q), weight=Embedding().weight
                    )
                return [known[hit["id"]] for hit in orjson.loads(reader.search(request))["hits"]]

            worth = measure(collection, rank)
            print(f"  {mode:28} nDCG@10 {worth.ndcg:.3f}, R@100 {worth.recall:.3f}", flush=True)
        writer.close()


def uuid(key: str) -> UUID:
    return uuid5(NAMESPACE_OID, key)


class Near:
    """The model that a backfill would learn from a collection, and the vectors of all of it."""

    def __init__(self, collection: Collection) -> None:
        self._ids = [uuid(key) for key, *_ in collection.documents]
        texts = ["\n".join((t, " ".join(tags), x)) for _, t, x, tags, _ in collection.documents]
        every = max(1, len(texts) // SAMPLE)
        self._embedder = Embedding().load(*Embedding().learn(texts[::every][:SAMPLE]))
        slices = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
        made = [numpy.array(self._embedder.embed(one), numpy.float32) for one in slices]
        self._vectors = numpy.concatenate(made)

    def ids(self, q: str) -> list[UUID]:
        likeness = self._vectors @ numpy.array(self._embedder.embed([q])[0], numpy.float32)
        return [self._ids[at] for at in numpy.argsort(-likeness)[:NEAR] if likeness[at] > 0]


@contextmanager
def ours(collection: Collection) -> Iterator[Ranker]:
    """The index as a worker reads it. Its other figures are printed on the way."""
    corpus = [
        IndexDocument(key, title, text, "", category, "medium", tags, 1, NOW)
        for key, title, text, tags, category in collection.documents
    ]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        writer = build(root, corpus)
        reader = IndexReader(root)

        def rank(q: str, limit: int) -> list[str]:
            reply = reader.search(SearchQuery(q=q, limit=limit, highlight=False))
            return [hit["id"] for hit in orjson.loads(reply)["hits"]]

        yield rank
        update(writer, reader, corpus)
        begun = time.perf_counter()
        seen = sum(1 for _ in reader.ids_and_versions())
        print(f"  verify: {seen} ids in {time.perf_counter() - begun:.2f} s")
        writer.close()


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
