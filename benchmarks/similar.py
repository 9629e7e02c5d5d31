"""How many near duplicates are found: `python -m benchmarks.similar [COUNT [FILE]]`.

Of COUNT made-up texts, or of the first of FILE (NDJSON with `text`, may be gzipped), every fourth
gets a copy in which a part of the words is changed, dropped or moved. What the method finds from
NEAR on is compared with what comparing every text with every other one finds (recall), and with
the copies that were made (precision).
"""

import gzip
import itertools
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import tantivy

from benchmarks.corpus import words
from contracts.similar import NEAR
from storage.index.schema import IndexDocument, entry_document, prepare, schema
from storage.index.similar import Shingles, candidates, shingles, similarity

PARTS = (0.01, 0.05, 0.10, 0.20)
CANDIDATES = 20 + 1  # as actors.similar asks for
WAYS = ("changed", "dropped", "moved")


def alter(draw: random.Random, text: str, way: str, part: float) -> str:
    """The text with this part of its words, at least one, changed, dropped or moved."""
    found = text.split(" ")
    for _ in range(max(1, round(part * len(found)))):
        place = draw.randrange(len(found))
        if way == "changed":
            found[place] = words(draw, 1)[0]
        else:
            word = found.pop(place)
            if way == "moved":
                found.insert(draw.randrange(len(found) + 1), word)
    return " ".join(found)


def corpus(count: int, file: Path | None) -> tuple[list[str], list[tuple[int, int, str]]]:
    """Texts, and which are copies: `(original, copy, how)`."""
    draw = random.Random(20_261_121)
    if file is None:
        texts = [" ".join(words(draw, draw.randint(20, 160))) for _ in range(count)]
    else:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            rows = itertools.islice(map(orjson.loads, lines), count)
            texts = [" ".join(row["text"].split()) for row in rows]
    made = []
    kinds = [(way, part) for way in WAYS for part in PARTS]
    for number, original in enumerate(range(0, len(texts), 4)):
        way, part = kinds[number % len(kinds)]
        made.append((original, len(texts), f"{part:4.0%} {way}"))
        texts.append(alter(draw, texts[original], way, part))
    return texts, made


def index_of(texts: list[str], folder: Path) -> tantivy.Searcher:
    """A searcher of an index of these texts, whose ids are their places."""
    index = prepare(tantivy.Index(schema(), path=str(folder)))
    writer = index.writer()
    now = datetime.now(UTC)
    for place, text in enumerate(texts):
        fields = (str(place), "made", text, "", "c", "low", (), 1, now)
        writer.add_document(entry_document(IndexDocument(*fields)))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return index.searcher()


def alike(
    own: int, split: list[Shingles], holders: dict[tuple[str, ...], list[int]]
) -> Iterator[int]:
    """Every other text that is alike from NEAR on: all that share a pair are compared."""
    shared = Counter(place for pair in split[own] for place in holders[pair] if place != own)
    for place, count in shared.items():
        if count / (len(split[own]) + len(split[place]) - count) >= NEAR:
            yield place


def main(count: int, file: Path | None = None) -> None:
    """Print recall and precision, and how alike copies of each kind are."""
    texts, made = corpus(count, file)
    split = [shingles(f"made\n{text}") for text in texts]
    wanted, found, near, all_of = set(), set(), Counter[str](), Counter[str]()
    holders: dict[tuple[str, ...], list[int]] = {}
    for place, pairs in enumerate(split):
        for pair in pairs:
            holders.setdefault(pair, []).append(place)
    with tempfile.TemporaryDirectory() as folder:
        searcher = index_of(texts, Path(folder))
        for _, copy, how in made:
            wanted |= {(copy, place) for place in alike(copy, split, holders)}
            ids = map(int, candidates(searcher, f"made\n{texts[copy]}\n", CANDIDATES))
            scored = ((similarity(split[copy], split[p]), p) for p in ids if p != copy)
            best, place = max(scored, default=(0.0, -1))
            all_of[how] += 1
            if best >= NEAR:
                found.add((copy, place))
                near[how] += 1
    copies = {(copy, original) for original, copy, _ in made}
    has_near = {copy for copy, _ in wanted}
    print(f"{len(texts):,} texts, {len(made):,} copies, {len(has_near):,} with a similar one")
    print(f"recall    {len({c for c, _ in found}) / len(has_near):.4f}")
    print(f"precision {len(found & copies) / len(found):.4f}")
    for how in sorted(all_of):
        print(f"{how:14} found as near: {near[how]:4} of {all_of[how]:4}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 20_000,
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,
    )
