"""What the system benchmarks import and ask: a corpus of one's own, or one made up."""

import gzip
import itertools
import random
from pathlib import Path

import orjson

COUNT = 64_533
SEED = 20_261_121


def queries(file: Path | None, count: int = 2_000) -> list[str]:
    """Search texts: `{"text": ...}` lines of a file, or two to six made-up words."""
    if file is not None:
        return [orjson.loads(line)["text"] for line in file.read_bytes().splitlines()]
    draw = random.Random(SEED + 1)
    return [" ".join(words(draw, draw.randint(2, 6))) for _ in range(count)]


def make(file: Path, count: int = COUNT) -> None:
    """Write a made-up corpus: `_id`, `title`, `text` and `metadata`, about 700 bytes a row."""
    draw = random.Random(SEED)
    with gzip.open(file, "wb", compresslevel=1) as sink:
        for number in range(count):
            row = {
                "_id": f"made-{number}",
                "title": f"{' '.join(words(draw, 7))} {number}",
                "text": " ".join(words(draw, draw.randint(40, 160))),
                "metadata": {"category": f"area {number % 40}", "tags": words(draw, 3)},
            }
            sink.write(orjson.dumps(row) + b"\n")


def words(draw: random.Random, count: int) -> list[str]:
    """Words by Zipf's law, so that posting lists have the lengths of real text."""
    return draw.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=count)


_SYLLABLES = ("ka", "to", "mi", "re", "so", "lu", "ven", "dar", "pi", "na", "gor", "sel")
_VOCABULARY = [
    "".join(parts) for n in (2, 3, 4) for parts in itertools.product(_SYLLABLES, repeat=n)
]
random.Random(SEED).shuffle(_VOCABULARY)
_WEIGHTS = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(_VOCABULARY))))
