"""The warm layer: an instance of Redis or Valkey of its own, which all processes share.

Every call is one round trip within a short time; down, slow, full or lying, it costs a miss. It
asks no server for the time: how long a value has left is told by the instance's own clock.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, Self

from redis.exceptions import ResponseError

from storage.breaker import Breaker
from storage.cache import codec
from storage.cache.codec import Corrupt, Outdated
from storage.cache.info import Info
from storage.cache.instance import TIMEOUT, Away, Instance
from storage.cache.layer import Epochs, Kept, Layer, LayerStats
from storage.cache.untold import Untold

NAME = "warm"
MAX_FRAME = 1024 * 1024  # bytes, packed: what is larger is not kept
BATCH = 64  # values in one round trip
#: Each value has this tag, too: `clear` invalidates it.
EVERYTHING = "*"
# In a cluster all keys of a script must be in one slot.
_VALUE, _TAG, _CLAIM = "{casebook:cache}:v:", "{casebook:cache}:t:", "{casebook:cache}:c:"


class Found(NamedTuple):
    """A value and the seconds that it has left."""

    kept: Kept
    left: float


class Warm(Layer):
    """Values in the instance at `url`, behind `breaker`. Belongs to one event loop.

    An invalidation that did not reach the instance is repeated before anything else is asked of
    it; should this process end before, values with the tag stay for others until their time is
    over. What others must hear of (`tell`) is said again by itself.
    """

    def __init__(self, url: str, breaker: Breaker, timeout: float = TIMEOUT) -> None:
        self._instance = Instance(url, breaker, timeout)
        self._info = Info(self._instance)
        self._owed: set[str] = set()
        self._untold = Untold(self._say_again, lambda: self._owed.add(EVERYTHING))
        self._hits = self._misses = self._corrupt = self._outdated = self._refused = 0

    async def read(self, keys: list[str], *, again: bool = False) -> dict[str, Found]:
        """Those of the values that there are, in one round trip for each BATCH.

        Asked `again` for one question, what there is not does not count as another miss.
        """
        found: dict[str, Found] = {}
        for batch in _batches(keys):
            try:
                await self._pay()
                names = [_VALUE + key for key in batch]
                answers = await self._instance.run("read", names, _TAG)
            except (Away, ResponseError):
                answers = [None] * len(batch)
            for key, answer in zip(batch, answers, strict=True):
                if value := self._value(answer):
                    found[key] = value
        self._hits += len(found)
        if not again:
            self._misses += len(keys) - len(found)
        return found

    async def get(self, key: str) -> Kept | None:
        """The value, or None."""
        return (await self.mget([key])).get(key)

    async def mget(self, keys: list[str]) -> dict[str, Kept]:
        """Those of the values that there are."""
        return {key: found.kept for key, found in (await self.read(keys)).items()}

    async def set(self, key: str, kept: Kept, ttl: float, *, under: Epochs | None = None) -> None:
        """Keep a value, unless its frame is larger than MAX_FRAME."""
        await self.mset({key: kept}, ttl, under=under)

    async def mset(
        self, values: Mapping[str, Kept], ttl: float, *, under: Epochs | None = None
    ) -> None:
        """Keep several."""
        await self._write(values, ttl, under)

    async def tell(self, values: Mapping[str, Kept], ttl: float) -> None:
        """Keep values that other processes go by. Those without a body are kept for certain, while
        this process lives: said again each second, though the instance is left alone."""
        if not await self._write(values, ttl):
            words = {key: kept for key, kept in values.items() if not kept.body}
            self._untold.add(words, ttl)

    async def _write(
        self,
        values: Mapping[str, Kept],
        ttl: float,
        under: Epochs | None = None,
        *,
        insist: bool = False,
    ) -> bool:
        """Whether the instance has heard of all of them."""
        heard = True
        frames = {key: codec.encode(kept) for key, kept in values.items()}
        large = [key for key, frame in frames.items() if len(frame) > MAX_FRAME]
        for key in large:
            self._refused += 1
            await self.delete(key)  # what it should have replaced
        for batch in _batches(key for key in values if key not in large):
            arguments: list[str | bytes | int] = [_TAG, max(1, round(ttl * 1000)), _token()]
            for key in batch:
                tags = (EVERYTHING, *values[key].tags)
                arguments += [frames[key], len(tags), *_under(tags, under)]
            try:
                if not insist:
                    await self._pay()
                names = [_VALUE + key for key in batch]
                answers = await self._instance.run("write", names, *arguments, insist=insist)
            except (Away, ResponseError):
                heard = False
                continue
            self._refused += sum(answer != 1 for answer in answers)
        return heard

    async def delete(self, key: str) -> None:
        """Forget a value."""
        await self._try(b"UNLINK", _VALUE + key)

    async def epochs(self, *tags: str) -> Epochs:
        """What `set` wants to be told, asked before the value is computed."""
        names = (EVERYTHING, *tags)
        try:
            await self._pay()
            keys = [_TAG + tag for tag in names]
            tokens = await self._instance.run("epochs", keys, _token())
        except (Away, ResponseError):
            return {}
        return {
            (NAME, tag): token.decode() for tag, token in zip(names, tokens, strict=True) if token
        }

    async def token(self, tag: str) -> str | None:
        """What changes when a tag is invalidated; None where the instance can't tell."""
        return (await self.epochs(tag)).get((NAME, tag))

    async def invalidate(self, *tags: str) -> None:
        """Forget all values that have one of these tags; it works in a full instance as well."""
        self._owed.update(tags)
        try:
            await self._pay()
        except (Away, ResponseError):
            self._owed.update(tags)  # another task may have paid for an earlier one meanwhile

    async def clear(self) -> None:
        """Forget everything that Casebook keeps here, and nothing else that may be here."""
        await self.invalidate(EVERYTHING)

    async def claim(self, key: str, seconds: float) -> str | None:
        """Be the one who computes `key`, for `seconds` at most.

        A token for `release`; "" when somebody else is, None when nobody can tell.
        """
        token = _token()
        command = (b"SET", _CLAIM + key, token, b"NX", b"PX", max(1, round(seconds * 1000)))
        try:
            return token if await self._instance.ask(*command) else ""
        except (Away, ResponseError):
            return None

    async def release(self, key: str, token: str) -> None:
        """Give a claim back, if it is still this one."""
        try:
            await self._instance.run("release", [_CLAIM + key], token)
        except (Away, ResponseError):
            return

    async def stats(self) -> tuple[LayerStats, ...]:
        """What it has done in this process, and what the instance holds for all of them."""
        await self._info.refresh()
        return (self.stats_now(),)

    def stats_now(self) -> LayerStats:
        """As `stats`, for any thread: the instance as it was when it was last asked."""
        return LayerStats(
            NAME,
            hits=self._hits,
            misses=self._misses,
            corrupt=self._corrupt,
            outdated=self._outdated,
            refused=self._refused,
            failed=self._instance.failed,
            evictions=self._info.evictions,
            entries=self._info.entries,
            bytes=self._info.bytes,
            max_bytes=self._info.max_bytes,
            up=self._instance.is_up,
            buckets=self._instance.times.buckets(),
            seconds=self._instance.times.seconds,
        )

    async def __aenter__(self) -> Self:
        """Connects by itself when it is first asked; leaving it drops the connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._untold.close()
        await self._instance.close()

    def _value(self, answer: Any) -> Found | None:
        """What `read.lua` tells of a value."""
        if answer is None:
            return None
        if answer == 0:
            self._outdated += 1
            return None
        try:
            frame, left, tags = answer
            kept = codec.decode(frame)
            if tags != 1 + len(kept.tags):
                raise Corrupt("the line of its tags is damaged")
            return Found(kept, left / 1000)
        except Outdated:
            self._outdated += 1
        except (Corrupt, TypeError, ValueError):  # another shape: there is no value of ours
            self._corrupt += 1
        return None

    async def _pay(self) -> None:
        """Invalidate what could not be before. Raises Away, ResponseError."""
        if self._owed:
            tags = tuple(self._owed)
            await self._instance.ask(b"UNLINK", *(_TAG + tag for tag in tags))
            self._owed.difference_update(tags)

    async def _say_again(self, words: Mapping[str, Kept], ttl: float) -> bool:
        return await self._write(words, ttl, insist=True)

    async def _try(self, *command: str | bytes | int) -> None:
        try:
            await self._instance.ask(*command)
        except (Away, ResponseError):
            return


def _under(tags: Iterable[str], under: Epochs | None) -> Iterator[str]:
    """Each tag and the token that it must have: "" any, "-" none, since nobody knows which."""
    for tag in tags:
        if not tag or any(letter.isspace() for letter in tag):
            raise ValueError(f"{tag!r} is no tag")
        yield tag
        yield "" if under is None else under.get((NAME, tag), "-")


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _token() -> str:
    return secrets.token_hex(8)
