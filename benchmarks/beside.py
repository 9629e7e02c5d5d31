"""The same queries asked of Casebook, SQLite's FTS5 and PostgreSQL's full text: one client each.

All hold the same rows, answer with ten ids and are asked in turns, so that what else the machine
does falls on all of them. `engine` is our index in this process, as the two others are called.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.corpus import rows
from benchmarks.instance import Instance
from benchmarks.judged import Collection
from benchmarks.search_peers import fts5, postgres
from contracts.search import SearchQuery
from storage.index.searcher import IndexReader

KINDS = ("1 word", "3 words", "10 words", "pasted log")  # any of the words, the best first
LONGEST = 60.0  # seconds for the queries of a kind
LIMIT = 10

Ask = Callable[[str], object]


def measure(casebook: Instance, file: Path, kinds: dict[str, list[dict[str, object]]]) -> None:
    """Print p50 and p99 of each, and how many times as long the others take."""
    documents = [
        (str(row["_id"]), str(row.get("title", "")), str(row["text"]), (), "") for row in rows(file)
    ]
    collection = Collection(file.name, documents, {}, {})
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
        print(f"beside others, one client, {len(documents):,} rows: p50, p99 in ms")
        for kind in KINDS:
            _line(kind, [str(one["q"]) for one in kinds[kind]], asks)


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
    told = ", ".join(f"{name} {p50:.1f} {p99:.1f}" for name, (p50, p99) in found.items())
    print(f"  {kind:12} {told} ({len(taken['HTTP'])} queries)")
    for ours in ("HTTP", "engine"):
        ratios = (
            f"{peer} {found[peer][0] / found[ours][0]:.1f} {found[peer][1] / found[ours][1]:.1f}"
            for peer in ("FTS5", "PostgreSQL")
        )
        print(f"    times as long as {ours}: {', '.join(ratios)}", flush=True)


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
