"""The shim's app with its caches, a worker and a follower, all in this process."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import dramatiq
import httpx
import pytest
from dramatiq import Broker, Middleware

from actors import entries
from actors.announcing import Announcer
from actors.broker.client import Client
from actors.queues import producer_broker
from contracts.entries import CreateEntry, EntryChanges, EntryFields, UpdateEntry
from contracts.search import SearchQuery
from pipelines import searching
from pipelines.answers import Answer, Answers
from settings import Settings
from shim import keys
from shim.app import make_app
from storage.index.current import Current
from storage.index.follower import Follower
from storage.postgres.store import Store
from tests.integration.pipelines.conftest import Process
from tests.support.house import House
from tests.support.waiting import SOON

KEY = "a key of the tests"
ALWAYS_ASKED = [f"/v1/analytics/{one}" for one in ("report?metric=searches", "latency", "activity")]
AWAY = "postgresql://nobody@127.0.0.1:1/none"


class Counted(Middleware):
    """How often each operation was run."""

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()

    def before_process_message(self, broker: Broker, message: dramatiq.MessageProxy) -> None:
        """Count it."""
        self.by_name[message.actor_name] += 1


class Node:
    """One node: its database, index, queues and settings."""

    def __init__(self, house: House, settings: Settings) -> None:
        self.house = house
        self.settings = settings
        self.counted = Counted()
        house.broker.add_middleware(self.counted)
        self.follower = Follower(settings.index, house.store)
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        with house.store.transaction() as tx:
            tx.connection.execute(
                "insert into api_keys (digest, name) values (%s, 'tests')", (digest,)
            )

    def add(self, title: str, **fields: Any) -> Any:
        """A new entry that is indexed; its EntryStored."""
        entry = EntryFields(title=title, **fields)
        stored = entries.create(CreateEntry(entry=entry), self.house.store)
        self.follower.step()
        return stored

    def change(self, stored: Any, **fields: Any) -> Any:
        """The same, changed."""
        command = UpdateEntry(id=stored.entry.id, changes=EntryChanges(**fields))
        changed = entries.update(command, self.house.store)
        self.follower.step()
        return changed

    @asynccontextmanager
    async def shim(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A process of the shim."""
        app = make_app(self.settings.model_copy(update=settings))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport,
                base_url="http://shim",
                headers={"Authorization": f"Bearer {KEY}"},
                timeout=SOON,
            ) as client,
        ):
            yield client

    @property
    def searches(self) -> int:
        """How many were computed."""
        return self.counted.by_name["search.query"]


@pytest.fixture
def node(house: House, own_redis_url: str, cache_url: str, tmp_path: Path) -> Any:
    """A node with an entry in each of two categories."""
    keys._fresh.clear()
    keys._known.clear()
    settings = Settings.load(
        {},
        find_servers=False,
        data=tmp_path,
        redis_url=own_redis_url,
        cache_url=cache_url,
        node="test",
        metrics=False,
        analytics_key="k" * 32,
    )
    node = Node(house, settings)
    node.add("alpha lock", category="DB2")
    node.add("alpha share", category="VSAM")
    yield node
    node.follower.close()


def scenario(node: Node, told: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it beside a worker."""
    with node.house.running("search", "reads"):
        asyncio.run(asyncio.wait_for(told(), 4 * SOON))


def source(response: httpx.Response) -> str:
    """Where an answer came from."""
    return response.raise_for_status().headers["Casebook-Cache"]


def test_a_search_costs_a_message_once(node: Node) -> None:
    """Then it is hot, then nothing; each has an id of its own; a write to another category leaves
    it, one to its own does not."""

    async def told() -> None:
        async with node.shim() as http:
            asked = {"q": "alpha", "category": "DB2"}
            found = [await http.get("/v1/search", params=asked) for _ in range(3)]
            assert [source(one) for one in found] == ["miss", "hot", "hot"]
            assert len({one.headers["Casebook-Search-Id"] for one in found}) == 3
            assert len({one.content for one in found}) == 1
            assert node.searches == 1
            await asyncio.to_thread(node.add, "alpha record", category="VSAM")
            assert source(await http.get("/v1/search", params=asked)) == "hot"
            changed = await asyncio.to_thread(node.add, "alpha deadlock", category="DB2")
            after = await http.get("/v1/search", params=asked | {"after": changed.position})
            assert (source(after), after.json()["total"]) == ("miss", 2)
            assert source(await http.post("/v1/search", json={**asked, "category": ["DB2"]})) in (
                "hot",
                "miss",
            )

    scenario(node, told)


def test_a_shim_that_sees_no_index_hears_of_it(node: Node, tmp_path: Path) -> None:
    """It answers from its cache as well, and no longer once it has heard of a commit."""
    root, url = node.settings.index, node.settings.redis_url.get_secret_value()
    announce = Announcer(producer_broker(url, "test"), "test", root)

    async def until(http: httpx.AsyncClient, wanted: str) -> httpx.Response:
        while True:  # until it has heard, every answer is computed
            found = await http.get("/v1/search?q=alpha")
            if source(found) == wanted:
                return found

    async def told() -> None:
        async with node.shim(data=tmp_path / "elsewhere") as http:
            assert [source(await http.get("/v1/search?q=alpha")) for _ in range(3)] == ["miss"] * 3
            await asyncio.to_thread(announce)
            before = await until(http, "hot")
            await asyncio.to_thread(node.add, "alpha record", category="VSAM")
            await asyncio.to_thread(announce)
            after = await until(http, "miss")
            assert (before.json()["total"], after.json()["total"]) == (2, 3)

    scenario(node, told)


def test_a_thousand_at_once_in_two_processes_are_one_search(node: Node, process: Process) -> None:
    """A stampede on a cold key is one `search.query`, whichever client it came through."""
    published = Current(node.settings.index).fresh
    broker = producer_broker(node.settings.redis_url.get_secret_value(), "test")

    async def asked(client: Client, answers: Answers) -> Answer:
        async def compute(request: SearchQuery, timeout: float) -> bytes:
            return await searching.find(client, request, timeout=timeout)

        request = SearchQuery(q="alpha")
        return await answers.get("search.query", request, compute, timeout=SOON)

    async def told() -> None:
        async with (
            Client(broker) as one,
            Client(broker) as other,
            process(published) as first,
            process(published) as second,
        ):
            both = [(one, first), (other, second)]
            found = await asyncio.gather(*(asked(*both[n % 2]) for n in range(1000)))
            assert {answer.source for answer in found} == {"miss", "warm"}
            assert len({answer.body for answer in found}) == 1
            assert node.searches == 1

    scenario(node, told)


@pytest.mark.parametrize("is_known", [True, False], ids=["a known key", "a new key"])
def test_a_thousand_at_once_are_all_answered(node: Node, is_known: bool) -> None:
    """Through the door of one shim: who waits for another's answer takes nobody's place."""

    async def told() -> None:
        async with node.shim() as http:
            if is_known:
                await http.get("/v1/search", params={"q": "beta"})
            before = node.searches
            asked = [http.get("/v1/search", params={"q": "alpha"}) for _ in range(1000)]
            found = await asyncio.gather(*asked)
            assert Counter(one.status_code for one in found) == {200: 1000}
            assert node.searches == before + 1
            assert node.counted.by_name["system.verify_key"] == 1

    scenario(node, told)


def test_no_cache_and_what_is_never_kept(node: Node) -> None:
    """They are computed each time."""

    async def told() -> None:
        async with node.shim() as http:
            plain = {"q": "alpha"}
            assert source(await http.get("/v1/search", params=plain)) == "miss"
            anew = {"Cache-Control": "no-cache"}
            for _ in range(2):
                assert source(await http.get("/v1/search", params=plain, headers=anew)) == "miss"
                for more in ({"explain": "true"}, {"offset": "101"}):
                    assert source(await http.get("/v1/search", params=plain | more)) == "miss"
            assert node.searches == 7

    scenario(node, told)


def test_who_may_not_call_gets_nothing_from_a_cache(node: Node) -> None:
    """The key is checked first, also where the answer is hot."""

    async def told() -> None:
        async with node.shim() as http:
            for _ in range(2):
                await http.get("/v1/search?q=alpha")
            for authorization in ("Bearer another", ""):
                refused = await http.get(
                    "/v1/search?q=alpha", headers={"Authorization": authorization}
                )
                assert (refused.status_code, "Casebook-Cache" in refused.headers) == (401, False)

    scenario(node, told)


def test_the_shortcut_is_as_strict_as_the_way_around(node: Node) -> None:
    """What is asked for again is refused as it would be the first time, and noted as well."""

    async def told() -> None:
        async with node.shim() as http:
            asked = "/v1/search?q=alpha&category=DB2"
            hot = [await http.get(asked) for _ in range(3)]
            assert [source(one) for one in hot] == ["miss", "hot", "hot"]
            session = {"Casebook-Session": "x" * 201}
            assert (await http.get(asked, headers=session)).status_code == 422
            assert (await http.get(f"{asked}&limit=0")).status_code == 422
            assert source(await http.get(asked, headers={"Casebook-Session": "mine"})) == "hot"
            keys._fresh.clear()
            assert source(await http.get(asked)) == "hot"
            assert node.counted.by_name["system.verify_key"] == 2

    scenario(node, told)


def test_without_workers_the_last_known_answer(node: Node) -> None:
    """Then, for what nobody asked before, the error; entries and suggestions alike."""

    async def told() -> None:
        async with node.shim() as http:
            entry = (await http.get("/v1/search?q=lock")).json()["hits"][0]["id"]
            paths = (
                "/v1/search?q=alpha",
                "/v1/suggest?q=alp",
                f"/v1/entries/{entry}/similar",
                f"/v1/entries/{entry}",
            )
            for path in paths:
                assert source(await http.get(path, headers={"X": "1"})) == "miss"
        await asyncio.to_thread(working.close)
        node.add("alpha later")
        async with node.shim(read_timeout=0.2) as http:  # another process: what it knows is warm
            for path in paths:
                if "suggest" in path:
                    continue  # young enough to be given while another is being computed
                told = await http.get(path)
                assert source(told) == "stale", path
                assert (told.json()["stale"], told.json()["age_s"]) == (
                    True,
                    float(told.headers["Casebook-Stale"]),
                )
            unknown = await http.get("/v1/search?q=never+asked")
            assert (unknown.status_code, unknown.json()["code"]) == (504, "NO_REPLY")
            reached = await http.get(f"/v1/search?q=alpha&after={node.follower._writer.position}")
            assert reached.status_code == 504

    with ExitStack() as working:
        working.enter_context(node.house.running("search", "reads"))
        asyncio.run(asyncio.wait_for(told(), 4 * SOON))


def test_a_write_ends_what_was_known(node: Node) -> None:
    """Acknowledged by one shim, no other gives an entry as it was before; nor one that is gone."""

    async def told() -> None:
        async with node.shim(read_timeout=3.0) as one, node.shim(read_timeout=3.0) as other:
            found = (await one.get("/v1/search?q=alpha")).json()["hits"]
            kept, gone = (f"/v1/entries/{hit['id']}" for hit in found)
            for http in (one, other):
                for path in (kept, gone):
                    assert source(await http.get(path)) == "miss"
            assert (await one.patch(kept, json={"title": "changed"})).status_code == 200
            relation = f"{kept}/relations/{found[1]['id']}"
            assert (await one.put(relation, json={"kind": "duplicate"})).status_code == 200
            assert (await one.delete(gone)).status_code == 200
            await asyncio.to_thread(working.close)
            asked = [http.get(path) for path in (kept, gone) for http in (one, other)]
            *last, nothing, none = await asyncio.gather(*asked)
            for reply in last:
                assert (source(reply), reply.json()["title"]) == ("stale", "changed")
                assert [of["kind"] for of in reply.json()["relations"]] == ["duplicate"]
            assert nothing.status_code == none.status_code == 504

    with ExitStack() as working:
        working.enter_context(node.house.running("search", "reads", "entries"))
        asyncio.run(asyncio.wait_for(told(), 4 * SOON))


def test_while_postgresql_is_away(node: Node) -> None:
    """Searches do not need it; an entry and statistics are as they were last known."""

    async def known() -> list[str]:
        async with node.shim() as http:
            entry = (await http.get("/v1/search?q=lock")).json()["hits"][0]["id"]
            paths = [f"/v1/entries/{entry}", "/v1/analytics/dashboard?zone=UTC", *ALWAYS_ASKED]
            paths.append(f"/v1/analytics/entries/{entry}")
            for path in paths:
                assert source(await http.get(path)) == "miss"
            return paths

    async def away(paths: list[str]) -> None:
        async with node.shim() as http:
            assert source(await http.get("/v1/search?q=alpha")) == "miss"
            told = await http.get(paths[0])
            assert (source(told), told.json()["title"]) == ("stale", "alpha lock")
            for path in paths[2:]:
                assert source(await http.get(path)) == "stale", path
            other = await http.get("/v1/analytics/dashboard?zone=Europe/Berlin")
            assert (other.status_code, other.json()["code"]) == (503, "DATABASE_UNAVAILABLE")

    with node.house.running("search", "reads", "analytics"):
        paths = asyncio.run(asyncio.wait_for(known(), 4 * SOON))
    nowhere = Store(AWAY)
    node.house.broker.resources[Store] = nowhere
    with node.house.running("search", "reads", "analytics"):
        asyncio.run(asyncio.wait_for(away(paths), 4 * SOON))
