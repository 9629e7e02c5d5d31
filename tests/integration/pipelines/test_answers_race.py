"""Writers, nodes that lag behind and what is kept, all at once: nobody is taken back in time."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis

from actors.announcing import Announcer, Heard
from actors.broker.broker import StreamsBroker
from contracts.errors import IndexBehind
from contracts.position import Position
from contracts.search import SearchQuery
from pipelines.answers import Answers
from storage.index.current import Current
from storage.index.searcher import IndexReader
from storage.index.writer import IndexWriter
from tests.integration.pipelines.conftest import Process
from tests.integration.storage.index.index_helpers import at, entry
from tests.support.waiting import run

CATEGORIES = ("DB2", "VSAM", "IMS")
COMMITS, ASKERS = 20, 4


@dataclass
class Node:
    """One of two nodes with the same changes; an entry of each category says when it changed."""

    writer: IndexWriter
    reader: IndexReader
    current: Current
    announce: Announcer
    #: Each category's last commit that everybody can see.
    published: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CATEGORIES, 0))

    history: list[tuple[int, str]] = field(default_factory=list)

    def as_of(self, number: int) -> dict[str, int]:
        """Each category's last commit up to this one."""
        last = dict.fromkeys(CATEGORIES, 0)
        last.update((name, commit) for commit, name in self.history if commit <= number)
        return last

    def commit(self, number: int, category: str) -> None:
        """One change; the one before it is told of only now."""
        self.announce()
        self.history.append((number, category))
        changed = entry(f"state of {category}", category=category, version=number)
        self.writer.apply([changed], ())
        self.writer.commit(at(number))
        self.published[category] = number


@pytest.fixture
def nodes(tmp_path: Path, own_redis_url: str) -> Iterator[list[Node]]:
    """This node, and one that lags behind it."""
    made = []
    for name in ("here", "there"):
        root = tmp_path / name
        announce = Announcer(StreamsBroker(own_redis_url), name, root)
        node = Node(IndexWriter.build_new(root), IndexReader(root), Current(root), announce)
        for number, category in enumerate(CATEGORIES, 1):
            node.commit(number, category)
        made.append(node)
    yield made
    for node in made:
        node.writer.close()


async def write(nodes: list[Node], ended: asyncio.Event) -> None:
    """Commit on this node; on the other one, a few commits later."""
    late: list[tuple[int, str]] = []
    for number in range(len(CATEGORIES) + 1, COMMITS):
        category = random.Random(number).choice(CATEGORIES)
        await asyncio.to_thread(nodes[0].commit, number, category)
        late.append((number, category))
        if len(late) > 3:
            await asyncio.to_thread(nodes[1].commit, *late.pop(0))
    for change in late:
        await asyncio.to_thread(nodes[1].commit, *change)
    ended.set()


Seen = Callable[[], dict[str, int]]


async def ask(
    answers: Answers,
    nodes: list[Node],
    seed: int,
    seen: Seen,
    ended: asyncio.Event,
    given: Callable[[int], None] = lambda position: None,
) -> set[str]:
    """Ask again and again, for nothing older than was `seen`; where the answers came from."""
    choose, sources = random.Random(seed), set()

    async def compute(request: SearchQuery, timeout: float) -> bytes:
        """By whichever node's worker takes it."""
        while True:
            reader = choose.choice(nodes).reader
            try:
                return await asyncio.to_thread(reader.search, request)
            except IndexBehind:
                await asyncio.sleep(0)

    while not ended.is_set():
        category = choose.choice([*CATEGORIES, ""])
        filters = {"category": (category,)} if category else {}
        request = SearchQuery(q="state", **filters)
        least = seen()
        answer = await answers.get("search.query", request, compute, timeout=10.0)
        told: dict[str, Any] = orjson.loads(answer.body)
        found = {hit["category"]: hit["version"] for hit in told["hits"]}
        assert set(found) == ({category} if category else set(CATEGORIES))
        assert all(version >= least[name] for name, version in found.items()), (least, told, answer)
        given(Position.parse(told["position"]).txid)
        sources.add(answer.source)
        await asyncio.sleep(0.001)  # a hot answer waits for nothing: others have their turn
    return sources


def test_nobody_is_taken_back(process: Process, nodes: list[Node], cache_url: str) -> None:
    """Who has seen a commit published never gets an older answer from then on, from no process and
    no layer; and no key is ever looked for by scanning."""

    async def scenario() -> set[str]:
        ended = asyncio.Event()

        def seen() -> dict[str, int]:
            return dict(nodes[0].published)

        async with process(nodes[0].current.fresh) as one, process(nodes[0].current.fresh) as two:
            asking = [ask((one, two)[n % 2], nodes, n, seen, ended) for n in range(ASKERS)]
            _, *sources = await asyncio.gather(write(nodes, ended), *asking)
        return set().union(*sources)

    assert run(scenario()) >= {"hot", "miss"}
    with Redis.from_url(cache_url) as client:
        used = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    assert not {"scan", "keys"} & used


def test_nobody_is_taken_back_where_no_folder_is_seen(
    process: Process, nodes: list[Node], own_redis_url: str
) -> None:
    """A process that hears of commits from Redis gives nothing older than what it has heard of, nor
    than what it has given: nodes say late what their workers answer from."""
    given: list[int] = []  # positions of a process's answers

    async def scenario() -> set[str]:
        ended = asyncio.Event()
        async with Heard(own_redis_url) as heard, process(heard.fresh, heard.met) as answers:

            def seen() -> dict[str, int]:
                fresh = heard.fresh()
                # The machine stood still: nothing is known, and nothing is given from a cache.
                far = max([fresh.position.txid, *given]) if fresh else 0
                return nodes[0].as_of(far)

            asking = [ask(answers, nodes, n, seen, ended, given.append) for n in range(ASKERS)]
            _, *sources = await asyncio.gather(write(nodes, ended), *asking)
        return set().union(*sources)

    assert run(scenario()) >= {"hot", "miss"}
