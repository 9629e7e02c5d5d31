"""More is asked than is answered, over HTTP and to a worker that does not come."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import READ_TIMEOUT
from tests.support.casebook import Casebook

MANY = 160
PAUSE = 0.02  # seconds between two looks at /metrics
LARGE = b"x" * 1_000_000


@pytest.fixture
def pause(casebook: Casebook, http: httpx.Client) -> Iterator[Callable[[str], None]]:
    """Makes the requests of a queue wait, until the test is over."""
    paused: list[str] = []

    def pause(queue: str) -> None:
        http.get("/v1/entries", params={"limit": 1}).raise_for_status()  # the key is known now
        http.post(f"/v1/queues/{queue}/pause", json={"reason": "a test"}).raise_for_status()
        paused.append(queue)

    yield pause
    for queue in paused:
        http.post(f"/v1/queues/{queue}/resume").raise_for_status()


def callers(casebook: Casebook, most: int | None = None) -> httpx.AsyncClient:
    """A client with as many connections as it likes, or so many."""
    with casebook.http() as like:
        limits = httpx.Limits(max_connections=most)
        return httpx.AsyncClient(
            base_url=like.base_url, headers=like.headers, limits=limits, timeout=60
        )


async def value(client: httpx.AsyncClient, name: str, queue: str) -> float:
    """A metric of the queue, in a moment: who waits for it leaves the CPU to others."""
    await asyncio.sleep(PAUSE)
    text = (await client.get("/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels.get("queue") == queue
    )


def test_a_flood_is_refused_in_part(casebook: Casebook, pause: Callable[[str], None]) -> None:
    """Some wait, all others hear at once when to come back.

    A refused body is passed over: the next request on its connection is answered.
    """
    pause("search")

    async def scenario() -> None:
        async with callers(casebook) as client:
            asked = [
                asyncio.create_task(client.get("/v1/search", params={"q": f"flood {number}"}))
                for number in range(MANY)
            ]
            waiting = 0.0
            while waiting + sum(task.done() for task in asked) < MANY:
                waiting = await value(client, "casebook_admission_in_flight", "search")
            refused = [task.result() for task in asked if task.done()]
            assert 0 < len(refused) < MANY
            for reply in refused:
                assert (reply.status_code, reply.json()["code"]) == (503, "OVERLOADED")
                assert int(reply.headers["retry-after"]) >= 1
                assert reply.json()["operation_id"] == reply.headers["x-operation-id"]
            counted = await value(client, "casebook_admission_refused_total", "search")
            assert counted >= len(refused)
            load = {"ok": True}
            while load["ok"]:  # refusals count less by the second
                assert (await client.get("/v1/search", params={"q": "more"})).status_code == 503
                load = (await client.get("/readyz")).json()["checks"]["load"]
            assert load["facts"]["search"]["in_flight"] == MANY - len(refused)
            async with callers(casebook, 1) as one:
                for _ in range(2):
                    assert (await one.post("/v1/search", content=LARGE)).status_code == 503
                    assert (await one.get("/healthz")).status_code == 200
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(asyncio.wait_for(scenario(), READ_TIMEOUT - 1))


def test_a_read_whose_caller_hangs_up_frees_its_place(
    casebook: Casebook, pause: Callable[[str], None]
) -> None:
    """Before its time is over."""
    pause("reads")

    async def scenario() -> None:
        async with callers(casebook) as client:
            path = f"/v1/entries/{uuid4()}/versions"
            asked = [asyncio.create_task(client.get(path)) for _ in range(5)]
            while await value(client, "casebook_admission_in_flight", "reads") < len(asked):
                pass
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            while await value(client, "casebook_admission_in_flight", "reads"):
                pass

    # After READ_TIMEOUT places are free in any case.
    asyncio.run(asyncio.wait_for(scenario(), READ_TIMEOUT - 1))
