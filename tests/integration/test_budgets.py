"""What each main operation may cost, by counting: commands, statements, bytes, messages, calls.

Time depends on the machine, these do not. `budgets.toml` beside this file holds the bounds. Who
makes an operation dearer sees which bound, and by how much; who makes it cheaper lowers the bound.
"""

import asyncio
import itertools
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import uvloop
from fastapi import FastAPI
from redis import Redis

from actors import entries, imports
from actors.actor import actor
from actors.broker.client import Client
from actors.broker.worker import Reader, Reading
from actors.metrics.meters import Meters
from actors.queues import producer_broker
from actors.spans import SpanLog
from contracts.base import Nothing
from contracts.entries import CreateEntry, EntryFields
from contracts.imports import ImportChunk, ImportRow, StartImport
from pipelines.answers import Answers
from pipelines.ask import ask
from pipelines.privacy import pseudonyms
from settings import Settings
from shim import analytics, keys
from shim.app import make_app
from shim.backend import Backend
from shim.door import Door
from shim.gatherer import Gatherer
from shim.metrics import Measured
from storage.cache.hot import Hot
from storage.cache.layers import Cache
from storage.index.current import Current
from storage.index.writer import IndexWriter
from storage.postgres.store import Store
from tests.integration.storage.index.index_helpers import at, entry
from tests.support.counting import Ground, Trips, calls, fewest
from tests.support.house import House
from tests.support.waiting import SOON

BUDGETS: dict[str, dict[str, int]] = tomllib.loads(
    Path(__file__).with_name("budgets.toml").read_text()
)
WARM_UP = 7  # runs: after five, psycopg has prepared a statement
RUNS = 3  # of which the least counts
LEAST = 0.6  # of a budget that is used at least: a bound far away guards nothing
KEY = "a key"
NUMBERS = itertools.count(1)


@actor(queue="reads", read=True)
def noop(request: Nothing) -> Nothing:
    """Do nothing."""
    return request


async def abandoned(bench: "Bench") -> None:
    """A read that a worker comes to after its deadline: nobody waits for it any more."""
    await bench.client.send(noop.message(Nothing(), deadline=1, reply_to="casebook:replies:gone"))


@dataclass
class Bench:
    """A shim and a worker in one process, one message at a time."""

    app: FastAPI
    client: Client
    trips: Trips
    ground: Ground
    readers: dict[str, Reader]
    threads: ThreadPoolExecutor
    entry: UUID
    import_id: UUID

    async def http(
        self,
        method: str,
        path: str,
        query: str = "",
        body: Any = None,
        status: int = 200,
        *,
        cached: bool = False,
    ) -> Any:
        """One request through the whole app; its JSON. Computed for it, unless it is `cached`."""
        given = b"" if body is None else orjson.dumps(body)
        headers = [(b"authorization", b"Bearer " + KEY.encode())]
        if not cached:
            headers.append((b"cache-control", b"no-cache"))
        if given:
            headers.append((b"content-type", b"application/json"))
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "server": ("test", 80),
            "client": ("test", 1),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": given, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        assert sent[0]["status"] == status, sent
        return orjson.loads(b"".join(one.get("body", b"") for one in sent[1:]))

    async def count(self, queues: tuple[str, ...], run: Callable[[], Awaitable[Any]]) -> Any:
        """What `run` costs, with a turn of a worker's thread for each queue that it uses."""
        found: Counter[str] = Counter()
        loop = asyncio.get_running_loop()
        self.trips.found.clear()
        with self.ground.counting(found):
            turns = []
            for queue in queues:
                self.trips.blocking.clear()
                turn = loop.run_in_executor(self.threads, self._turn, queue, found)
                turns.append(turn)
                assert await asyncio.to_thread(self.trips.blocking.wait, SOON)
            with calls(found, "shim calls"):
                await run()
            await asyncio.gather(*turns)
        return found + self.trips.found

    def _turn(self, queue: str, found: Counter[str]) -> None:
        with calls(found, "worker calls"):
            self.readers[queue].turn()


def fields(number: int) -> dict[str, Any]:
    """An entry of its own."""
    return {"title": f"Job {number:06} failed", "problem": "It ended with S0C7.", "tags": ["cics"]}


def chunk(import_id: UUID) -> ImportChunk:
    """A hundred new rows of an import."""
    number = next(NUMBERS)
    rows = (ImportRow(line=n, data=fields(number * 1000 + n)) for n in range(1, 101))
    return ImportChunk(import_id=import_id, chunk=number, digest="d", rows=tuple(rows))


@dataclass(frozen=True)
class Operation:
    """What is asked for, and the queues that its messages go through."""

    queues: tuple[str, ...]
    run: Callable[[Bench], Awaitable[Any]]
    #: What is done once before, for the answer that is then kept.
    first: "Operation | None" = None


def new_entry(bench: Bench) -> Awaitable[Any]:
    """A new entry; the reply lists what it is like, which is a second message."""
    return bench.http("POST", "/v1/entries", body=fields(next(NUMBERS)), status=201)


def changed_entry(bench: Bench) -> Awaitable[Any]:
    """Another solution for an entry."""
    body = {"solution": f"Run step {next(NUMBERS):06} again."}
    return bench.http("PATCH", f"/v1/entries/{bench.entry}", body=body)


QUERY = "/v1/search", "q=cobol+job+failed&limit=10"
SEARCH = Operation(("search",), lambda b: b.http("GET", *QUERY))
OPERATIONS = {
    "no-op": Operation(("reads",), lambda b: ask(b.client, noop, Nothing(), timeout=SOON)),
    "abandoned": Operation(("reads",), abandoned),
    "search": SEARCH,
    "hot search": Operation((), lambda b: b.http("GET", *QUERY, cached=True), first=SEARCH),
    "suggest": Operation(("search",), lambda b: b.http("GET", "/v1/suggest", "q=co")),
    "get entry": Operation(("reads",), lambda b: b.http("GET", f"/v1/entries/{b.entry}")),
    "create entry": Operation(("entries", "search"), new_entry),
    "update entry": Operation(("entries",), changed_entry),
    "import chunk": Operation(
        ("imports",), lambda b: ask(b.client, imports.chunk, chunk(b.import_id), timeout=SOON)
    ),
}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """One with a single connection, whose statements are counted."""
    store = Store(database_url, most=1)
    store.open()
    yield store
    store.close()


@pytest.fixture
def bench(
    house: House, own_redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """A shim and a worker as the product makes them, over ten entries."""
    writer = IndexWriter.build_new(tmp_path / "index")
    writer.apply([entry(f"cobol job {n} failed", "S0C7 in a step") for n in range(10)], ())
    writer.commit(at(1))
    writer.close()
    noop.declare(house.broker)
    spans = SpanLog(lambda batch: None)  # not started: what it holds is not sent
    house.broker.resources |= {Meters: Meters(), SpanLog: spans}
    stored = house.call(entries.create, CreateEntry(entry=EntryFields(**fields(0))))
    started = house.call(imports.start, StartImport(source="tests"))
    app = make_app(
        Settings.load({"CASEBOOK_DATA": str(tmp_path), "CASEBOOK_REDIS_URL": own_redis_url})
    )
    names = pseudonyms(None, tmp_path / "analytics.key")
    client = Client(producer_broker(own_redis_url, "test"))
    answers = Answers(Cache(Hot(1_000_000)), Current(tmp_path / "index").fresh)
    app.state.backend = Backend(client, answers, "test", SOON, SOON)
    # Not entered: what it gathers is not sent.
    app.state.recording = analytics.Recording(Gatherer(client), names, keep_days=90, rate=100)
    monkeypatch.setitem(keys._fresh, sha256(KEY.encode()).hexdigest(), "tests")
    queues = {queue for one in OPERATIONS.values() for queue in one.queues}
    readers = {name: Reader(house.broker, Reading(name), f"budget-{name}") for name in queues}
    with house.store.transaction() as tx:
        connection = tx.connection  # the only one
    with Redis.from_url(own_redis_url) as redis, ThreadPoolExecutor(len(queues)) as threads:
        trips = Trips(monkeypatch)
        ids = stored.entry.id, started.id
        yield Bench(app, client, trips, Ground(redis, connection), readers, threads, *ids)
    for reader in readers.values():
        reader.consumer.link.close()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_to_its_budget(bench: Bench, name: str) -> None:
    """Nothing that it counts is more than the table allows, nor less by so much that the bound
    says nothing."""
    found, budget = measured(bench, OPERATIONS[name]), BUDGETS[name]
    over = [
        f"{what} {found[what]:,}, budget {most:,}: {found[what] - most:,} too many"
        for what, most in budget.items()
        if found[what] > most
    ]
    slack = [
        f"{what} {found[what]:,}, budget {most:,}: lower the budget"
        for what, most in budget.items()
        if found[what] < most * LEAST
    ]
    assert not over + slack, f"{name}: " + "; ".join(over + slack)
    assert budget.keys() == found.keys(), f"{name}: {dict(found)}"


def test_telling_costs_a_search_little(bench: Bench, house: House) -> None:
    """Metrics and spans are a tenth of its calls at most: the same search with and without."""
    told = measured(bench, OPERATIONS["search"])
    for kind in (Meters, SpanLog):
        del house.broker.resources[kind]
    layer: Any = bench.app.middleware_stack
    while not isinstance(layer, Measured):
        layer = layer._app if isinstance(layer, Door) else layer.app
    layer._meters = None
    untold = measured(bench, OPERATIONS["search"])
    both = "shim calls", "worker calls"
    assert all(untold[what] < told[what] for what in both), (told, untold)
    assert sum(told[what] for what in both) <= 1.1 * sum(untold[what] for what in both)
    alike = {"messages", "commands sent", "redis calls"}
    assert all(told[what] == untold[what] for what in alike)


def measured(bench: Bench, operation: Operation) -> Counter[str]:
    """The least of each count over RUNS runs, when everything is warm."""

    async def scenario() -> list[Counter[str]]:
        async with bench.client:
            if first := operation.first:
                await bench.count(first.queues, lambda: first.run(bench))
            times = WARM_UP + RUNS
            return [
                await bench.count(operation.queues, lambda: operation.run(bench))
                for _ in range(times)
            ]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return fewest(runner.run(scenario())[WARM_UP:])
