"""What the instance tells of itself, asked for seldom."""

import time

from redis.exceptions import ResponseError

from storage.cache.instance import Away, Instance

EVERY = 5.0  # seconds


class Info:
    """Its memory, its evictions and its keys, as of at most EVERY seconds ago; None: not known.

    They are the instance's: what others keep there is counted, too.
    """

    def __init__(self, instance: Instance) -> None:
        self.bytes: int | None = None
        self.max_bytes: int | None = None
        self.entries: int | None = None
        self.evictions = 0
        self._instance = instance
        self._asked = -EVERY

    async def refresh(self) -> None:
        """Ask again, if it is time to."""
        if time.monotonic() - self._asked < EVERY:
            return
        self._asked = time.monotonic()
        try:
            memory = _numbers(await self._instance.ask(b"INFO", b"memory"))
            stats = _numbers(await self._instance.ask(b"INFO", b"stats"))
            self.entries = int(await self._instance.ask(b"DBSIZE"))
        except (Away, ResponseError):
            self.bytes = self.max_bytes = self.entries = None
            return
        self.bytes, self.max_bytes = memory.get(b"used_memory"), memory.get(b"maxmemory")
        self.evictions = stats.get(b"evicted_keys", 0)


def _numbers(info: bytes) -> dict[bytes, int]:
    pairs = (line.partition(b":") for line in info.split(b"\r\n"))
    return {name: int(value) for name, _, value in pairs if value.isdigit()}
