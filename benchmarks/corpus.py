"""What the system benchmarks import and ask: a corpus of one's own, or one made up."""

import gzip
import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
            sink.write(row(draw, number))


def row(draw: random.Random, number: int) -> bytes:
    """One made-up row as a line of JSON."""
    made = {
        "_id": f"made-{number}",
        "title": f"{' '.join(words(draw, 7))} {number}",
        "text": " ".join(words(draw, draw.randint(40, 160))),
        "metadata": {"category": f"area {number % 40}", "tags": words(draw, 3)},
    }
    return orjson.dumps(made) + b"\n"


def multiply(files: Sequence[Path], count: int, sink: Path) -> None:
    """Write `count` rows from those of `files`, again and again with other ids and words.

    A repetition has its number in its ids and titles, and one word in ten from another row.
    """
    draw, pool = random.Random(SEED), list[str]()
    with sink.open("wb") as out:
        for number, row in enumerate(itertools.islice(_again(files), count)):
            turn, text = row.pop("turn"), str(row["text"]).split(" ")
            if turn:
                row["_id"] = f"{row['_id']}-{turn}"
                row["title"] = f"{row['title']} {turn}"
                for place in range(draw.randrange(10), len(text), 10):
                    text[place] = draw.choice(pool)
                row["text"] = " ".join(text)
            elif number % 10 == 0:
                pool += text
            out.write(orjson.dumps(row) + b"\n")


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file, packed or not."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def _again(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for turn in itertools.count():
        for file in files:
            for row in rows(file):
                yield {**row, "turn": turn}


def words(draw: random.Random, count: int) -> list[str]:
    """Words by Zipf's law, so that posting lists have the lengths of real text."""
    return draw.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=count)


_SYLLABLES = ("ka", "to", "mi", "re", "so", "lu", "ven", "dar", "pi", "na", "gor", "sel")
_VOCABULARY = [
    "".join(parts) for n in (2, 3, 4) for parts in itertools.product(_SYLLABLES, repeat=n)
]
random.Random(SEED).shuffle(_VOCABULARY)
_WEIGHTS = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(_VOCABULARY))))
