"""Judged collections, in BEIR's form."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

#: Query and how many hits are wanted, to the ids of the hits, the best first.
Ranker = Callable[[str, int], list[str]]


class Collection(NamedTuple):
    """Documents as `(id, title, text, tags, category)`, queries by id, and which documents fit."""

    name: str
    documents: list[tuple[str, str, str, tuple[str, ...], str]]
    queries: dict[str, str]
    judgements: dict[str, dict[str, int]]


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
