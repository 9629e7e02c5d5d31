"""Answers to reads, from the nearest that has the answer of now.

hot (this process) -> warm (an instance of its own) -> an actor -> the last known answer, marked as
such, while what would compute another is away -> the error.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import orjson
from pydantic import BaseModel

from actors.broker.admission import arrived
from contracts.errors import NotFound, Overloaded
from contracts.operation import doing
from contracts.position import Position
from pipelines.flights import Flights
from pipelines.question import AWAY, Compute, M, Question
from storage.cache import answers as rules
from storage.cache.answers import (
    KEEP,
    RULES,
    age_of,
    is_fresh,
    key_of,
    may_wait,
)
from storage.cache.last_known import LastKnown
from storage.cache.layer import NOTHING, Kept
from storage.cache.layers import Cache
from storage.cache.tokens import Tokens
from storage.cache.warm import Warm
from storage.index.freshness import Fresh

PATIENCE = 3.0  # seconds for an answer where an older one can be given instead
#: Seconds that other processes wait at most for the one that computes; half of their time-out, too.
CLAIM = 5.0
PAUSE = 0.005, 0.05  # seconds: first and longest between two looks at whether it has


class Answer(NamedTuple):
    """The JSON of a reply, and where it came from."""

    body: bytes
    source: Literal["hot", "warm", "miss", "stale"]
    #: Seconds since it was asked for; None where it is of now.
    age: float | None = None


class Answers:
    """Gives answers and keeps them. Belongs to one event loop.

    `published` tells what is published, None where nothing says so: then no search is answered
    from a cache, but for the last known answer. `met` is told how far the indexes are that answers
    come from.
    """

    def __init__(
        self,
        cache: Cache,
        published: Callable[[], Fresh | None],
        met: Callable[[Position], None] = lambda position: None,
    ) -> None:
        self._cache = cache
        self._published = published
        self._met = met
        self._tokens = Tokens(cache)
        self._last = LastKnown(cache)
        self._flights: Flights[Answer] = Flights()
        self._fetches: Flights[Kept | None] = Flights()
        self._keeping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._flights.close()
        await self._fetches.close()
        await self.idle()

    async def idle(self) -> None:
        """Return once nothing is being computed, and all that was to be kept is kept."""
        await self._flights.landed()
        while self._keeping:
            await asyncio.wait(self._keeping)

    async def get(
        self,
        operation: str,
        request: M,
        compute: Compute[M],
        *,
        timeout: float,
        anew: bool = False,
        key: str | None = None,
    ) -> Answer:
        """The answer to a request, within about `timeout` seconds.

        With `anew` it is computed for this caller, whatever is known. `key` is the request's, from
        who has looked `at_hand`. Raises: what `compute` raises, where no answer is known either.
        """
        look = self._cache.hot.peek_now  # `at_hand` has counted it
        if key is None:
            if not rules.is_kept(operation, request):
                return Answer(await compute(request, timeout), "miss")
            key, look = key_of(operation, request), self._cache.hot.get_now
        rule = RULES[operation]
        seen = self._published() if rule.placed else None
        token = await self._tokens.of(rule.tag) if rule.tag else None
        asked = Question(operation, request, key, seen, token, compute, timeout)
        if anew:
            return await self._computed(asked)
        return self._given(asked, look(asked.key), "hot") or await self._beyond(asked)

    @staticmethod
    def keeps(operation: str, request: BaseModel) -> bool:
        """Whether answers to this request are kept at all."""
        return rules.is_kept(operation, request)

    @staticmethod
    def key(operation: str, request: BaseModel) -> str:
        """What `at_hand` wants to be told, and `get` may be; of what is kept."""
        return key_of(operation, request)

    def at_hand(self, operation: str, request: BaseModel, key: str) -> Answer | None:
        """The answer of now, if it is hot; nothing is awaited."""
        kept = self._cache.get_now(key)
        if kept is None:
            return None
        seen = self._published() if RULES[operation].placed else None
        if not is_fresh(operation, request, kept, seen):
            return None
        return Answer(kept.body, "hot", age_of(kept))

    async def get_first(
        self, operation: str, request: M, compute: Compute[M], *, timeout: float
    ) -> Answer:
        """The answer as it is computed now; only where that can't be done, the last known one."""
        key = key_of(operation, request)
        kept = self._cache.hot.peek_now(key)
        within = min(timeout, PATIENCE) if kept and kept.body else timeout
        seen = self._published() if RULES[operation].entry else None
        asked = Question(operation, request, key, seen, None, compute, within)
        try:
            return await self._computed(asked)
        except AWAY as error:
            find = partial(self._last.find, key, partial(self._holds, operation))
            known = await self._fetches.join(key, find)
            return _last_known(asked, known, error)
        except NotFound:
            self.gone(operation, request)
            raise

    def wrote(self, operation: str, request: BaseModel, body: bytes, position: str = "") -> None:
        """A write was acknowledged that has left this for `get_first`, at this position of the
        feed; hot before its caller can ask, and soon known to all processes."""
        seen = self._published()
        meta = {"edition": seen.edition} if seen else NOTHING
        kept = Kept(body, position, meta=meta)
        self._later(self._last.wrote(key_of(operation, request), kept))

    def gone(self, operation: str, request: BaseModel) -> None:
        """The same, and there is nothing left: nothing is known of it any more."""
        self._later(self._last.gone(key_of(operation, request)))

    def _holds(self, operation: str, kept: Kept) -> bool:
        """Whether the last known answer to `get_first` holds as far as the index tells."""
        return not RULES[operation].entry or rules.untouched(kept, self._published())

    def _given(
        self, asked: Question, kept: Kept | None, source: Literal["hot", "warm"]
    ) -> Answer | None:
        """What a layer has, if it is the answer of now, or may be given until that is there."""
        if kept is None:
            return None
        if not asked.is_fresh(kept):
            if not may_wait(asked.operation, asked.request, kept):
                return None
            self._flights.begin(asked.flight, partial(self._claimed, asked))
        return Answer(kept.body, source, age_of(kept))

    async def _beyond(self, asked: Question) -> Answer:
        """What the hot layer does not have."""
        if self._fetches.is_going(asked.key):
            arrived()  # before the wait: a thousand at once would fill the house until it is over
        warm = await self._fetches.join(asked.key, partial(self._fetched, asked.key))
        if answer := self._given(asked, warm, "warm"):
            return answer
        hot = self._cache.hot.peek_now(asked.key)
        if answer := self._given(asked, hot, "hot"):  # it was computed here meanwhile
            return answer
        known = max((one for one in (hot, warm) if one), key=lambda one: one.made_at, default=None)
        if known is not None:
            asked = replace(asked, timeout=min(asked.timeout, PATIENCE))
        try:
            return await self._joined(asked)
        except AWAY as error:
            return _last_known(asked, known, error)

    async def _joined(self, asked: Question) -> Answer:
        """Computed once for all who ask now. It is asked for in the name of who came first: where
        that one is refused, those of each other name ask once more in their own."""
        flight, compute = asked.flight, partial(self._claimed, asked)
        if not self._flights.is_going(flight):
            return await self._flights.join(flight, compute)
        arrived()
        try:
            return await self._flights.join(flight, compute)
        except Overloaded:
            return await self._flights.join((flight, doing().by), compute)

    async def _claimed(self, asked: Question) -> Answer:
        """Computed here, unless another process does already: then what that one has kept.

        What was waited for another is not there for the computation: both are within one time-out.
        """
        warm = self._cache.warm
        if warm is None:
            return await self._computed(asked)
        began, waited, pause = time.monotonic(), 0.0, PAUSE[0]
        while True:
            # Sent in this order: whoever gets the claim sees what the one before has kept.
            claim = warm.claim(asked.claim, CLAIM)
            found = self._fetched(asked.key, again=True)
            token, kept = await asyncio.gather(claim, found)
            if kept is not None and asked.is_fresh(kept):
                self._keep(asked, None, token)
                return Answer(kept.body, "warm", age_of(kept))
            if token != "" or waited > min(CLAIM, asked.timeout / 2):
                left = replace(asked, timeout=asked.timeout - waited) if waited else asked
                return await self._computed(left, token)
            await asyncio.sleep(pause)
            waited, pause = time.monotonic() - began, min(2 * pause, PAUSE[1])

    async def _computed(self, asked: Question, token: str | None = None) -> Answer:
        """Asked of an actor, and kept: hot at once, warm after the answer is given."""
        found: Kept | None = None
        try:
            found = kept = await asked.answered()
            if asked.lags(kept):
                found = kept = await asked.caught_up(kept)
            self._meet(kept)
        finally:
            self._keep(asked, found, token)
        return _marked(kept) if asked.lags(kept) else Answer(kept.body, "miss")

    async def _fetched(self, key: str, *, again: bool = False) -> Kept | None:
        """What the warm layer has, perhaps from a process that has heard more than this one."""
        kept = await self._cache.fetch(key, again=again)
        if kept is not None:
            self._meet(kept)
        return kept

    def _meet(self, kept: Kept) -> None:
        if kept.position:
            self._met(Position.parse(kept.position))

    def _keep(self, asked: Question, kept: Kept | None, token: str | None) -> None:
        if kept is not None and asked.is_known(kept, self._cache.hot.peek_now(asked.key)):
            kept = None
        if kept is not None:
            self._cache.hot.set_now(asked.key, kept, KEEP)
        warm = self._cache.warm
        if warm is not None and (kept is not None or token):
            self._later(_keep_warm(warm, asked, kept, token))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)


async def _keep_warm(warm: Warm, asked: Question, kept: Kept | None, token: str | None) -> None:
    """Kept first, released then: who waits for it finds it."""
    if kept is not None:
        await warm.set(asked.key, kept, KEEP)
    if token:
        await warm.release(asked.claim, token)


def _last_known(asked: Question, kept: Kept | None, error: Exception) -> Answer:
    """The answer that is known, if it will do. Raises the error if not."""
    if kept is None or not rules.reaches(kept, asked.request):
        raise error
    return _marked(kept)


def _marked(kept: Kept) -> Answer:
    """An answer that says that it is not of now."""
    age = round(age_of(kept), 3)
    told = orjson.loads(kept.body) | {"stale": True, "age_s": age}
    return Answer(orjson.dumps(told), "stale", age)
