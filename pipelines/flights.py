"""One computation for all who ask for the same at once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """What is being computed, by its key. Belongs to one event loop.

    A computation belongs to nobody: who gives up waiting, the first one too, takes it from nobody
    else.
    """

    def __init__(self) -> None:
        self._going: dict[Hashable, asyncio.Task[T]] = {}

    async def join(self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `compute` gives, or what the one that is under way does. Raises what it raises."""
        return await asyncio.shield(self.begin(key, compute))

    def begin(self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]]) -> Awaitable[T]:
        """As `join`, for who does not wait."""
        task = self._going.get(key)
        if task is None:
            task = self._going[key] = asyncio.create_task(compute())
            task.add_done_callback(partial(self._ended, key))
        return task

    def is_going(self, key: Hashable) -> bool:
        """Whether it is being computed."""
        return key in self._going

    async def landed(self) -> None:
        """Return once nothing is under way."""
        while self._going:
            await asyncio.wait(self._going.values())

    async def close(self) -> None:
        """End what is under way."""
        going = list(self._going.values())
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)

    def _ended(self, key: Hashable, task: asyncio.Task[T]) -> None:
        self._going.pop(key, None)
        if not task.cancelled():
            task.exception()  # everybody may have given up waiting
