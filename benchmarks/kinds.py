"""Searches over HTTP by kind of query: words, phrases, misspelt words, facets, a pasted log.

    python -m benchmarks.kinds FILE.jsonl.gz [--count N] [--clients 8] [--peers]

Imports FILE (`_id`, `title`, `text`, `metadata`), repeated with other ids and words up to N rows,
and asks 200 queries of each kind, made of its texts, again and again for some seconds, with `wrk`.
Then how large the index is, and with --peers (`pip install 'casebook[bench]'`) the same queries
beside SQLite's FTS5 and PostgreSQL's full text.
"""

import argparse
import random
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from benchmarks import corpus, system
from benchmarks.instance import Instance, instance

QUERIES = 200  # of each kind
SEED = 20_261_121
_WORD = re.compile(r"[A-Za-z]{4,12}")


def main() -> None:
    """Import, then measure each kind."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--count", type=int)
    arguments.add_argument("--clients", type=int, default=8)
    arguments.add_argument("--peers", action="store_true")
    arguments.add_argument("--only", action="append", help="a kind; several times for several")
    options = arguments.parse_args()
    system.CLIENTS = options.clients
    with TemporaryDirectory() as name, instance() as casebook:
        folder, file = Path(name), options.file
        if options.count:
            file = folder / "rows.jsonl"
            corpus.multiply([options.file], options.count, file)
        system.measure_import(casebook, file)
        kinds = queries(options.file)
        measure_size(casebook, file)
        ask(casebook, {one: kinds[one] for one in options.only or kinds}, folder)
        if options.peers:
            from benchmarks import beside  # needs what nothing else here does

            collection = beside.collected(file)
            beside.measure_together(casebook, collection, kinds, options.clients, folder)
            beside.measure(casebook, collection, kinds)


def ask(casebook: Instance, kinds: dict[str, list[dict[str, object]]], folder: Path) -> None:
    """Print answers a second and latencies of each kind over HTTP."""
    print(f"over HTTP, {system.CLIENTS} clients:")
    paths = folder / "paths"
    for kind, asked in kinds.items():
        paths.write_text("\n".join("?" + urlencode(one, doseq=True) for one in asked))
        system.wrk(casebook.url, "/v1/search", paths, casebook.key, refusals=True)  # to warm up
        rate, latency = system.wrk(casebook.url, "/v1/search", paths, casebook.key, refusals=True)
        print(f"  {kind:18} {rate:5.0f}/s, {latency}", flush=True)


def measure_size(casebook: Instance, file: Path) -> None:
    """The index as the import leaves it, beside the titles and texts that are in it."""
    size = sum(one.stat().st_size for one in (casebook.data / "index").rglob("*") if one.is_file())
    text = sum(len(f"{row.get('title', '')}{row['text']}".encode()) for row in corpus.rows(file))
    print(f"index: {size / 1e6:.1f} MB of {text / 1e6:.1f} MB of text, {size / text:.2f} times")


def queries(file: Path) -> dict[str, list[dict[str, object]]]:
    """Parameters of searches, by kind."""
    draw = random.Random(SEED)
    texts = [str(row["text"]) for row in corpus.rows(file)]
    sources = [words for words in (_WORD.findall(text) for text in texts) if len(words) >= 12]

    def some(count: int) -> list[str]:
        words = draw.choice(sources)
        return draw.sample(words, count)

    def beside(count: int) -> str:
        words = draw.choice(sources)
        start = draw.randrange(len(words) - count)
        return " ".join(words[start : start + count])

    def misspelt(word: str) -> str:
        place = draw.randrange(1, len(word) - 2)
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

    def pasted() -> str:
        lines = (draw.choice(texts)[:200] for _ in range(10))
        return "\n".join(["IEF450I JOB1 STEP1 - ABEND=S0C7 U0000", *lines])[:2_000]

    three = [" ".join(some(3)) for _ in range(QUERIES)]
    facets = ["category", "tag", "severity"]
    made: dict[str, list[dict[str, object]]] = {
        "1 word": [{"q": some(1)[0]} for _ in range(QUERIES)],
        "3 words": [{"q": q} for q in three],
        "3 words, 3 facets": [{"q": q, "facets": facets} for q in three],
        "10 words": [{"q": " ".join(some(10))} for _ in range(QUERIES)],
        "phrase": [{"q": f'"{beside(2)}"'} for _ in range(QUERIES)],
        "fuzzy": [{"q": f"{misspelt(some(1)[0])}~1 {some(1)[0]}"} for _ in range(QUERIES)],
        "misspelt": [{"q": f"{misspelt(some(1)[0])} {some(1)[0]}"} for _ in range(QUERIES)],
        "pasted log": [{"q": pasted()} for _ in range(QUERIES)],
    }
    return made


if __name__ == "__main__":
    main()
