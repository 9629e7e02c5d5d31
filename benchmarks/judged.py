"""Judged collections, in BEIR's form, and what a ranking of them is worth."""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ir_measures
from ir_measures import R, nDCG

NDCG, RECALL = nDCG @ 10, R @ 100

#: Query and how many hits are wanted, to the ids of the hits, the best first.
Ranker = Callable[[str, int], list[str]]


class Collection(NamedTuple):
    """Documents as `(id, title, text, tags, category)`, queries by id, and which documents fit."""

    name: str
    documents: list[tuple[str, str, str, tuple[str, ...], str]]
    queries: dict[str, str]
    judgements: dict[str, dict[str, int]]


class Worth(NamedTuple):
    """Quality between 0 and 1, and times of searches of 10 hits in seconds, in order."""

    ndcg: float
    recall: float
    times: list[float]

    def percentile(self, part: float) -> float:
        """The time that this part of the searches does not exceed."""
        return self.times[int(len(self.times) * part)]


CORPUS, PACKED, QUERIES, QRELS = "corpus.jsonl", "corpus.jsonl.gz", "queries.jsonl", "qrels.tsv"


def missing(folder: Path) -> list[str]:
    """The files that a judged collection has and this folder does not."""
    corpus = [] if (folder / PACKED).exists() else [CORPUS]
    return [name for name in (*corpus, QUERIES, QRELS) if not (folder / name).exists()]


def load(folder: Path) -> Collection:
    """A folder with corpus.jsonl or corpus.jsonl.gz, queries.jsonl and qrels.tsv."""
    packed, plain = folder / PACKED, folder / CORPUS
    with gzip.open(packed) if packed.exists() else plain.open("rb") as lines:
        documents = [_document(json.loads(line)) for line in lines]
    queries = [json.loads(line) for line in (folder / QUERIES).open()]
    judgements: dict[str, dict[str, int]] = {}
    for line in (folder / QRELS).read_text().splitlines()[1:]:
        query, document, score = line.split("\t")
        judgements.setdefault(query, {})[document] = int(score)
    asked = {query["_id"]: query["text"] for query in queries if query["_id"] in judgements}
    return Collection(folder.name, documents, asked, judgements)


def _document(row: dict[str, Any]) -> tuple[str, str, str, tuple[str, ...], str]:
    about = row.get("metadata", {})
    tags, category = tuple(about.get("tags", ())), about.get("category", "Other")
    return row["_id"], row.get("title", ""), row["text"], tags, category


def measure(collection: Collection, rank: Ranker) -> Worth:
    """Ask every query for 100 hits, which also warms up, and then for 10 with a clock."""
    run = {}
    for key, text in collection.queries.items():
        found = rank(text, 100)
        run[key] = {document: float(-place) for place, document in enumerate(found)}
    scores = ir_measures.calc_aggregate([NDCG, RECALL], collection.judgements, run)
    times = []
    for text in collection.queries.values():
        begun = time.perf_counter()
        rank(text, 10)
        times.append(time.perf_counter() - begun)
    return Worth(scores[NDCG], scores[RECALL], sorted(times))
