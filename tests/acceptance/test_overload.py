"""More is asked than is answered, over HTTP and to a worker that does not come."""

import asyncio
import contextlib
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.casebook import Casebook
from tests.support.waiting import run

QUEUE = "search"
MANY = 160
LARGE = b"x" * 1_000_000


@pytest.fixture
def paused(casebook: Casebook, http: httpx.Client) -> Iterator[None]:
    """Searches wait, until the test is over."""
    http.get("/v1/search", params={"q": "S0C7"}).raise_for_status()
    http.post(f"/v1/queues/{QUEUE}/pause", json={"reason": "a test"}).raise_for_status()
    yield
    http.post(f"/v1/queues/{QUEUE}/resume").raise_for_status()


async def value(client: httpx.AsyncClient, name: str) -> float:
    """A metric of the queue."""
    text = (await client.get("/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels.get("queue") == QUEUE
    )


def test_a_flood_is_refused_and_those_who_leave_free_their_places(
    casebook: Casebook, paused: None
) -> None:
    """Some wait, all others hear at once when to come back; who hangs up is not waited for.

    A refused body is passed over: the next request on its connection is answered.
    """
    flood = httpx.Limits(max_connections=None)

    async def scenario() -> None:
        with casebook.http() as like:
            url, headers = like.base_url, like.headers
        async with httpx.AsyncClient(
            base_url=url, headers=headers, limits=flood, timeout=60
        ) as client:
            asked = [
                asyncio.create_task(client.get("/v1/search", params={"q": f"flood {number}"}))
                for number in range(MANY)
            ]
            waiting = value(client, "casebook_admission_in_flight")
            while (await waiting) + sum(task.done() for task in asked) < MANY:
                waiting = value(client, "casebook_admission_in_flight")
            refused = [task.result() for task in asked if task.done()]
            assert 0 < len(refused) < MANY
            for reply in refused:
                assert (reply.status_code, reply.json()["code"]) == (503, "OVERLOADED")
                assert int(reply.headers["retry-after"]) >= 1
                assert reply.json()["operation_id"] == reply.headers["x-operation-id"]
            assert await value(client, "casebook_admission_refused_total") >= len(refused)
            load = (await client.get("/readyz")).json()["checks"]["load"]
            assert not load["ok"] and load["facts"][QUEUE]["in_flight"] == MANY - len(refused)
            async with httpx.AsyncClient(
                base_url=url, headers=headers, limits=httpx.Limits(max_connections=1)
            ) as one:
                for _ in range(2):
                    assert (await one.post("/v1/search", content=LARGE)).status_code == 503
                    assert (await one.get("/healthz")).status_code == 200
            for task in asked:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*asked, return_exceptions=True)
            while await value(client, "casebook_admission_in_flight"):
                pass

    run(scenario())
