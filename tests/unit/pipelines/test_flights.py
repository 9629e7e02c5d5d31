"""One computation for many who ask at once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pipelines.flights import Flights
from tests.support.waiting import run


class Work:
    """A computation that ends when it is let."""

    def __init__(self) -> None:
        self.begun, self.go = 0, asyncio.Event()
        self.fails = False

    async def __call__(self) -> int:
        self.begun += 1
        await self.go.wait()
        if self.fails:
            raise ValueError(self.begun)
        return self.begun


def scenario(told: Callable[[Flights[int], Work], Coroutine[Any, Any, None]]) -> None:
    """Run it with flights of its own."""

    async def whole() -> None:
        await told(Flights(), Work())

    run(whole())


def test_a_thousand_share_one() -> None:
    """Who asks while it is computed gets what it gives; who asks later begins anew."""

    async def told(flights: Flights[int], work: Work) -> None:
        asking = [asyncio.create_task(flights.join("key", work)) for _ in range(1000)]
        await asyncio.sleep(0)
        work.go.set()
        assert set(await asyncio.gather(*asking)) == {1}
        assert await flights.join("key", work) == 2

    scenario(told)


def test_a_first_caller_who_leaves_takes_nothing_away() -> None:
    """Canceled, the first one is gone, and the others are answered by what it began."""

    async def told(flights: Flights[int], work: Work) -> None:
        first = asyncio.create_task(flights.join("key", work))
        others = [asyncio.create_task(flights.join("key", work)) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        work.go.set()
        assert await asyncio.gather(*others) == [1, 1, 1]

    scenario(told)


def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    """All who waited are told; nobody is told of one that everybody has left."""

    async def told(flights: Flights[int], work: Work) -> None:
        work.fails = True
        asking = [asyncio.create_task(flights.join("key", work)) for _ in range(3)]
        left = asyncio.create_task(flights.join("other", work))
        await asyncio.sleep(0)
        left.cancel()
        work.go.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(one) for one in found] == [ValueError] * 3
        work.fails = False
        assert await flights.join("key", work) == 3

    scenario(told)


def test_closing_ends_what_is_under_way() -> None:
    """Nothing is left running when a process ends."""

    async def told(flights: Flights[int], work: Work) -> None:
        task = asyncio.ensure_future(flights.begin("key", work))
        await asyncio.sleep(0)
        await flights.close()
        assert task.cancelled()

    scenario(told)
