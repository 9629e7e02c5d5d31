"""Searches over HTTP through shim, queue and worker, beside the same search in FastAPI processes.

    python -m benchmarks.search [--folder FOLDER] [--seconds S] [--part PART]

with `wrk` on the PATH. FOLDER holds corpus.jsonl(.gz) and queries.jsonl (BEIR's form); without one
a corpus of 64,533 entries is made up. One table: requests/s and times at 16 and 64 clients without
any cache, with 1 and 2 workers and shims (`path`), then a log of the queries by Zipf's law with the
cache on and off (`zipf`). Below it what the path adds to a lone search (`added`, added.py), and a
hot answer beside a route that says hello (`hot`, hot.py). A PART is one of these four words.

CPU is what a request costs in each kind of process: other work on the machine weighs on the rates,
and hardly on that. Linux only.
"""

import argparse
import itertools
import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import NAMESPACE_OID, uuid5

import orjson

from benchmarks import added, corpus, hot, pieces
from benchmarks.judged import load
from benchmarks.pieces import KEY, Ground, Pieces
from contracts.position import Position
from storage.index.writer import IndexDocument, IndexWriter

CLIENTS = (16, 64)
SETTLED = 1.0  # seconds after which nothing waits that wrk hung up on
SECONDS = 4
ZIPF = 20_000  # requests of the log
SCRIPT = Path(__file__).with_name("search.lua")
PARTS = ("path", "zipf", "added", "hot")
FEW = 50  # queries that everybody asks
MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
NO_CACHE = "Cache-Control: no-cache"


class Row(NamedTuple):
    """One line of the table."""

    name: str
    clients: int
    rate: float
    p50: str
    p99: str
    cpu: str


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


def wrk(url: str, route: str, paths: Path, clients: int, seconds: int, *headers: str) -> Row:
    """Ask for `seconds`. Raises RuntimeError for answers that are not 200."""
    more = [
        word for header in (f"Authorization: Bearer {KEY}", *headers) for word in ("-H", header)
    ]
    done = subprocess.run(
        ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "-s", str(SCRIPT), *more, url],
        env={**os.environ, "PATHS": str(paths), "ROUTE": route},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    time.sleep(SETTLED)
    # At a line's begin: wrk's other percentages may end in 50, too.
    names = ("Requests/sec:", "50%", "99%")
    found = [re.search(rf"^\s*{name}\s+(\S+)", done, re.MULTILINE) for name in names]
    if "Non-2xx" in done or None in found:
        raise RuntimeError(done)
    rate, p50, p99 = (match[1] for match in found if match)
    return Row("", clients, float(rate), p50, p99, "")


def measured(
    name: str, pieces: Pieces, route: str, paths: Path, clients: int, seconds: int, *headers: str
) -> Row:
    """One line: after a second to warm up, CPU counted beside the rate."""
    wrk(pieces.url, route, paths, clients, 1, *headers)
    before = pieces.cpu()
    row = wrk(pieces.url, route, paths, clients, seconds, *headers)
    requests = max(1.0, row.rate * seconds)
    spent = {what: used - before[what] for what, used in pieces.cpu().items()}
    cpu = ", ".join(f"{what} {used / requests * 1e6:.0f}" for what, used in spent.items())
    return row._replace(name=name, cpu=cpu)


def full_path(on: Ground, paths: Path, seconds: int) -> list[Row]:
    """Without any cache: ours and the direct apps."""
    Start = Callable[[], AbstractContextManager[Pieces]]
    starts: list[tuple[str, str, Start]] = [
        (f"casebook, {w} worker{'s' * (w > 1)}, {s} shim{'s' * (s > 1)}", "/v1/search",
         lambda w=w, s=s: pieces.casebook(on, workers=w, shims=s))
        for w, s in itertools.product((1, 2), (1, 2))
    ]  # fmt: skip
    for count, name in ((1, "one FastAPI process"), (2, "two FastAPI processes")):
        starts.append((name, "/inline", lambda count=count: pieces.direct(on, processes=count)))
    rows = []
    for name, route, start in starts:
        with start() as running:
            rows += [
                measured(name, running, route, paths, clients, seconds, NO_CACHE)
                for clients in CLIENTS
            ]
    return rows


def zipf(on: Ground, texts: Sequence[str], folder: Path, seconds: int) -> list[Row]:
    """A log in which the n-th query is asked for 1/n as often as the first."""
    draw = random.Random(corpus.SEED)
    weights = [1 / (place + 1) for place in range(len(texts))]
    paths = written(draw.choices(texts, weights, k=ZIPF), folder / "zipf")
    with pieces.casebook(on) as running:
        return [
            measured(name, running, "/v1/search", paths, 16, seconds, *headers)
            for name, headers in (("Zipf, no cache", (NO_CACHE,)), ("Zipf, cache as it is", ()))
        ]


def written(texts: Sequence[str], file: Path) -> Path:
    """The queries as wrk's script reads them."""
    file.write_text("\n".join("?" + urlencode({"q": text[:500]}) for text in texts))
    return file


def p50(url: str, route: str, paths: Path, clients: int, seconds: int) -> float:
    """wrk's median in ms."""
    value, unit = re.fullmatch(
        r"([\d.]+)(\w+)", wrk(url, route, paths, clients, seconds).p50
    ).groups()  # type: ignore[union-attr]  # its form
    return float(value) * MS[unit]


def table(rows: Sequence[Row]) -> str:
    """The rows as text; ratios to one FastAPI process at the same clients."""
    base = {row.clients: row.rate for row in rows if row.name == "one FastAPI process"}
    lines = [f"{'':32}{'clients':>8}{'/s':>8}{'ratio':>7}{'p50':>10}{'p99':>10}  CPU us a request"]
    for row in rows:
        ratio = f"{row.rate / base[row.clients]:.2f}" if base else "-"
        start = f"{row.name:32}{row.clients:>8}{row.rate:>8.0f}{ratio:>7}"
        lines.append(f"{start}{row.p50:>10}{row.p99:>10}  {row.cpu}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--folder", type=Path, help="corpus.jsonl(.gz) and queries.jsonl")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="a line (%(default)s)")
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
                rows += full_path(on, paths, options.seconds)
            if "zipf" in parts:
                rows += zipf(on, texts, folder, options.seconds)
            if rows:
                print(table(rows))
            if "added" in parts:
                print(added.compare(on, paths.read_text().splitlines()))
            if "hot" in parts:
                few = written(texts[:FEW], folder / "few")
                print(*hot.compare(on, few, options.seconds, p50), sep="\n")


if __name__ == "__main__":
    main()
