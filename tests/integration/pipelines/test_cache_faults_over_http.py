"""Whatever becomes of the warm layer, a search is answered; what is wrong with it is shown."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis import Redis

from deploy.valkey import EmbeddedCache
from tests.integration.pipelines.test_answers_over_http import Node, node, scenario, source

__all__ = ["node"]

QUESTIONS = 6  # one more than open a circuit


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[EmbeddedCache]:
    """One of this test's own."""
    server = EmbeddedCache(tmp_path / "instance", maxmemory="20mb")
    server.start()
    yield server
    if server.process:
        server.process.send_signal(signal.SIGCONT)
    server.stop()


def killed(server: EmbeddedCache) -> None:
    """It is down."""
    assert server.process
    server.process.kill()
    server.process.wait()


def slow(server: EmbeddedCache) -> None:
    """Each answer comes long after anybody waits for it."""
    with Redis.from_url(server.url) as client:
        client.execute_command("CLIENT", "PAUSE", 60_000, "ALL")


def full(server: EmbeddedCache) -> None:
    """It takes nothing more, and evicts nothing."""
    with Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)


def lying(server: EmbeddedCache) -> None:
    """What it has is something else."""
    with Redis.from_url(server.url) as client:
        for key in client.scan_iter("{casebook:cache}:v:*"):
            client.setrange(key, client.strlen(key) // 2, b"\xff\x00\xff")


@pytest.mark.parametrize(
    ("happens", "known", "state"),
    [
        (killed, "miss", "open"),
        (slow, "miss", "open"),
        (full, "warm", "closed"),
        (lying, "miss", "closed"),
    ],
)
def test_searches_go_on(
    node: Node,
    instance: EmbeddedCache,
    happens: Callable[[EmbeddedCache], None],
    known: str,
    state: str,
) -> None:
    """By a process that has nothing hot: what was known before, and what was not; then both are
    hot. /readyz tells of the circuit."""
    asked = [f"/v1/search?q=alpha+{number}" for number in range(QUESTIONS)]
    settings: dict[str, Any] = {"cache_url": SecretStr(instance.url), "metrics": True}

    async def told() -> None:
        async with node.shim(**settings) as http:
            first = [(await http.get(path)).json()["hits"] for path in asked]
        happens(instance)
        async with node.shim(**settings) as http:
            found = [await http.get(path) for path in asked]
            assert {source(one) for one in found} == {known}
            assert [one.json()["hits"] for one in found] == first
            assert [source(await http.get(path)) for path in asked] == ["hot"] * QUESTIONS
            new = [source(await http.get("/v1/search?q=lock")) for _ in range(2)]
            assert new == ["miss", "hot"]
            assert await circuit(http) == state

    scenario(node, told)


async def circuit(http: httpx.AsyncClient) -> str:
    """What /readyz says of the shim's circuit around the warm layer."""
    facts = (await http.get("/readyz")).json()["checks"]["circuits"]["facts"]
    [found] = [circuits["cache"] for name, circuits in facts.items() if name.startswith("shim")]
    return str(found)
