"""The tokens that tags have now: what was computed under another one is no answer of now."""

import time

from storage.cache.layers import Cache

EVERY = 2.0  # seconds that a token is taken for the one of now


class Tokens:
    """Asks the warm layer, for each tag once in EVERY seconds. Belongs to one event loop."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._known: dict[str, tuple[float, str | None]] = {}

    async def of(self, tag: str) -> str | None:
        """A tag's token; None where nobody can tell."""
        asked, token = self._known.get(tag, (float("-inf"), None))
        now = time.monotonic()
        if now - asked < EVERY:
            return token
        warm = self._cache.warm
        token = await warm.token(tag) if warm is not None else None
        self._known[tag] = now, token
        return token
