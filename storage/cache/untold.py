"""What others must hear of and have not: it is said again until the instance has heard it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from storage.cache.layer import Kept

MOST = 1_000
AGAIN = 1.0  # seconds until it is said again


class Untold:
    """Words by key, said by `say` (whether they were heard); with more than MOST, `give_up`.

    Belongs to one event loop.
    """

    def __init__(
        self,
        say: Callable[[Mapping[str, Kept], float], Awaitable[bool]],
        give_up: Callable[[], None],
    ) -> None:
        self._say = say
        self._give_up = give_up
        self._words: dict[str, Kept] = {}
        self._ttl = 0.0
        self._saying: asyncio.Task[None] | None = None

    def add(self, words: Mapping[str, Kept], ttl: float) -> None:
        """Say these again and again, from AGAIN seconds on; to be kept for `ttl` seconds."""
        self._words.update(words)
        self._ttl = ttl
        if len(self._words) > MOST:
            self._words.clear()
            self._give_up()
        if self._saying is None:
            self._saying = asyncio.create_task(self._until_heard())

    async def close(self) -> None:
        """What was not heard until now is not said any more."""
        if self._saying is not None:
            self._saying.cancel()
            await asyncio.gather(self._saying, return_exceptions=True)

    async def _until_heard(self) -> None:
        try:
            while self._words:
                await asyncio.sleep(AGAIN)
                said = dict(self._words)
                if said and await self._say(said, self._ttl):
                    self._words = {
                        key: word for key, word in self._words.items() if word is not said.get(key)
                    }
        finally:
            self._saying = None
