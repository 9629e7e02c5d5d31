"""The same queries asked of Casebook, SQLite's FTS5 and PostgreSQL's full text.

All hold the same rows, answer with ten hits and are asked in turns, so that what else the machine
does falls on all of them. First one client, each query once: `engine` is our index in this
process, as the two others are called. Then by several clients over HTTP, where the peers are
behind FastAPI; ours with its caches and without.
"""

import itertools
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import httpx

from benchmarks import wrk
from benchmarks.corpus import rows
from benchmarks.instance import Instance, free_port
from benchmarks.judged import Collection
from benchmarks.path import NO_CACHE
from benchmarks.processes import running
from benchmarks.search_peers import fill_fts5, filled_postgres, fts5, postgres
from benchmarks.system import until_up
from contracts.search import SearchQuery
from storage.index.searcher import IndexReader

KINDS = ("1 word", "3 words", "10 words", "pasted log")  # any of the words, the best first
TOGETHER = KINDS[:3]  # of pasted logs PostgreSQL answers one in a minute
LONGEST = 60.0  # seconds for the queries of a kind
LIMIT = 10
SECONDS = 10  # of each turn, of which there are as many
TURNS = 3

Ask = Callable[[str], object]


Kinds = dict[str, list[dict[str, object]]]


def collected(file: Path) -> Collection:
    """The rows as the peers take them."""
    documents = [
        (str(row["_id"]), str(row.get("title", "")), str(row["text"]), (), "") for row in rows(file)
    ]
    return Collection(file.name, documents, {}, {})


def measure(casebook: Instance, collection: Collection, kinds: Kinds) -> None:
    """Print p50 and p99 of each, and how many times as long the others take."""
    index = IndexReader(casebook.data / "index")
    headers = {"Authorization": f"Bearer {casebook.key}"}
    with ExitStack() as stack:
        http = stack.enter_context(httpx.Client(base_url=casebook.url, headers=headers))
        lite = stack.enter_context(fts5(collection))
        full_text = stack.enter_context(postgres(collection))
        asks: dict[str, Ask] = {
            "HTTP": lambda q: http.post("/v1/search", json=_asked(q)).raise_for_status(),
            "engine": lambda q: index.search(SearchQuery(**_asked(q))),
            "FTS5": lambda q: lite(q, LIMIT),
            "PostgreSQL": lambda q: full_text(q, LIMIT),
        }
        count = len(collection.documents)
        print(f"beside others, one client, {count:,} rows: p50, p99 in ms")
        for kind in KINDS:
            _line(kind, [str(one["q"]) for one in kinds[kind]], asks)


def measure_together(
    casebook: Instance, collection: Collection, kinds: Kinds, clients: int, folder: Path
) -> None:
    """The same for `clients` at once, who ask the queries of a kind again and again."""
    paths = folder / "beside"
    lite = folder / "fts5.db"
    with closing(sqlite3.connect(lite)) as base:
        fill_fts5(base, collection)
    with (
        filled_postgres(collection) as url,
        _app("fts5", str(lite), folder) as fts5_url,
        _app("postgres", url, folder) as postgres_url,
    ):
        asked = {
            "HTTP": (casebook.url, "/v1/search", ()),
            "without caches": (casebook.url, "/v1/search", (NO_CACHE,)),
            "FTS5": (fts5_url, "/search", ()),
            "PostgreSQL": (postgres_url, "/search", ()),
        }
        print(f"beside others, over HTTP, {clients} clients: p50, p99 in ms")
        for kind in TOGETHER:
            texts = [{"q": str(one["q"])} for one in kinds[kind]]
            paths.write_text("\n".join("?" + urlencode(one) for one in texts))
            turns: dict[str, list[wrk.Answered]] = {name: [] for name in asked}
            for _, (name, (url, route, more)) in itertools.product(range(TURNS), asked.items()):
                answered = wrk.ask(url, route, paths, clients, SECONDS, *more, key=casebook.key)
                turns[name].append(answered)
            found = {
                name: (median(turn.p50 for turn in each), median(turn.p99 for turn in each))
                for name, each in turns.items()
            }
            _tell(kind, found, ours=("HTTP", "without caches"))


@contextmanager
def _app(peer: str, place: str, folder: Path) -> Iterator[str]:
    """The peer behind FastAPI; its URL."""
    port = free_port()
    argv = [sys.executable, "-m", "benchmarks.peer_app", peer, place, str(port)]
    with running(argv, folder / f"{peer}.log"):
        until_up(url := f"http://127.0.0.1:{port}")
        yield url


def _asked(q: str) -> dict[str, object]:
    return {"q": q, "limit": LIMIT, "highlight": False}


def _line(kind: str, texts: Sequence[str], asks: dict[str, Ask]) -> None:
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for ask in asks.values():  # to warm up
        ask(texts[0])
    until = time.monotonic() + LONGEST
    for text in texts:
        for name, ask in asks.items():
            start = time.perf_counter()
            ask(text)
            taken[name].append((time.perf_counter() - start) * 1e3)
        if time.monotonic() > until:
            break
    found = {name: _percentiles(times) for name, times in taken.items()}
    _tell(f"{kind} ({len(taken['HTTP'])} queries)", found, ours=("HTTP", "engine"))


def _tell(what: str, found: dict[str, tuple[float, float]], ours: Sequence[str]) -> None:
    told = ", ".join(f"{name} {p50:.1f} {p99:.1f}" for name, (p50, p99) in found.items())
    print(f"  {what}: {told}")
    for name in ours:
        ratios = (
            f"{peer} {found[peer][0] / found[name][0]:.1f} {found[peer][1] / found[name][1]:.1f}"
            for peer in ("FTS5", "PostgreSQL")
        )
        print(f"    times as long as {name}: {', '.join(ratios)}", flush=True)


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
