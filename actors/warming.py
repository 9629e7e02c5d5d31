"""Warming: what many ask for is computed before they do, and kept where the shims find it."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from actors import search
from actors.actor import actor
from actors.broker import queues
from actors.broker.broker import StreamsBroker
from actors.metrics.meters import Meters
from actors.warming_choice import Wish, wishes
from contracts.errors import CasebookError, NotFound
from contracts.warming import Ended, WarmAnswers, Warmed
from storage.breaker import Breaker
from storage.cache import answers
from storage.cache.last_known import none_of
from storage.cache.layer import Kept
from storage.cache.warm import Warm
from storage.index.current import Current
from storage.postgres.store import Store

EVERY = timedelta(minutes=1)
AFTER = 5.0  # seconds after a start or a commit: others may follow it
SPARE = 30.0  # seconds between runs while commits go on: an import has better use for the CPU
CLAIM = "warming"  # that one run at a time holds in the warm layer
PATIENCE = 1.0  # seconds for a call to the warm layer: nobody waits for us
LAST = 600.0  # seconds after which what is only the last known answer is made anew
GRACE = 10.0  # seconds that a run may be late, in choosing or in one long answer
BATCH = 16  # answers that are kept in one write, and lost if the run is killed
LOOK = 0.1  # seconds between two looks at whether searches wait
BACK = 0.05, 1.0  # seconds: first and longest pause while they do


@dataclass(frozen=True)
class Warmth:
    """The warm layer, and how much warming may take; a resource made from the settings."""

    url: str  # "": there is none
    breaker: Breaker
    index: Path
    within: float = 20.0  # seconds
    rate: float = 50.0  # answers a second
    most: int = 200  # queries


class Cooled:
    """Has answers warmed soon after each call, by few runs; for one thread.

    An import publishes all the time: runs that it asks for are SPARE seconds apart.
    """

    def __init__(self, broker: StreamsBroker) -> None:
        self._broker = broker
        self._due = 0.0

    def __call__(self) -> None:
        """Raises: QueueUnavailable, QueueFull."""
        now = time.monotonic()
        if now < self._due:
            return  # a run that begins after this is asked for
        due = max(now + AFTER, self._due + SPARE if self._due else 0.0)
        message = warm.message(WarmAnswers(), unique=warm.name)
        self._broker.enqueue(message, delay=int((due - now) * 1000))
        self._due = due


@actor(queue="warming", read=True, time_limit=timedelta(hours=2))
def warm(request: WarmAnswers, store: Store, broker: StreamsBroker, warmth: Warmth) -> Warmed:
    """Bring popular answers up to what is published now; those that are fresh are left alone.

    Bounded in time and rate; stands back while searches wait. What it has kept stays, however it
    ends. Raises: DatabaseUnavailable, since nothing is known of what is popular.
    """
    if not warmth.url:
        return Warmed(ended=Ended.OFF)
    chosen = wishes(store, warmth.most)
    found = asyncio.run(_run(request, chosen, broker, warmth))
    meters: Meters | None = broker.resources.get(Meters)
    if meters is not None:
        meters.warmed_up(found.ended, found.warmed, found.seconds)
    return found


async def _run(
    request: WarmAnswers, chosen: list[Wish], broker: StreamsBroker, warmth: Warmth
) -> Warmed:
    within = request.within or warmth.within
    async with Warm(warmth.url, warmth.breaker, PATIENCE) as layer:
        token = await layer.claim(CLAIM, within + GRACE)
        if not token:
            ended = Ended.AWAY if token is None else Ended.ANOTHER
            return Warmed(ended=ended, left=len(chosen))
        try:
            run = Run(layer, broker, Current(warmth.index), within, request.rate or warmth.rate)
            return await run.through(chosen)
        finally:
            await layer.release(CLAIM, token)


def cool(warmth: Warmth, tag: str) -> None:
    """Invalidate a tag. An instance that can't be reached is not waited for: what is kept under the
    tag ends by its age as well."""
    if warmth.url:
        asyncio.run(_cool(warmth, tag))


async def _cool(warmth: Warmth, tag: str) -> None:
    async with Warm(warmth.url, warmth.breaker, PATIENCE) as layer:
        await layer.invalidate(tag)


class Run:
    """One run, from its beginning to its report."""

    def __init__(
        self, layer: Warm, broker: StreamsBroker, current: Current, within: float, rate: float
    ) -> None:
        self._layer = layer
        self._broker = broker
        self._current = current
        self._pace = 1.0 / rate
        self._began = self._next = time.monotonic()
        self._until = self._began + within
        self._traffic = Traffic(broker)
        self._warmed: Counter[str] = Counter()
        self._fresh: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._rolled_up: str | None = None

    async def through(self, chosen: list[Wish]) -> Warmed:
        """Warm what is chosen, as far as time and traffic allow."""
        left, ended = len(chosen), Ended.DONE
        self._rolled_up = await self._layer.token(answers.STATISTICS)
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            ended = await self._batch(batch)
            if ended is not Ended.DONE:
                break
            left -= len(batch)
        return Warmed(
            ended=ended,
            warmed=dict(self._warmed),
            fresh=dict(self._fresh),
            failed=dict(self._failed),
            left=left,
            seconds=round(time.monotonic() - self._began, 3),
            stood_back=round(self._traffic.stood_back, 3),
        )

    async def _batch(self, batch: list[Wish]) -> Ended:
        """Warm these; `done`, or why not all of them."""
        before = self._layer.stats_now()
        keys = [answers.key_of(wish.operation.name, wish.request) for wish in batch]
        kept = await self._layer.mget(keys)
        if self._layer.stats_now().failed > before.failed:
            return Ended.AWAY
        made: dict[str, Kept] = {}
        counted: Counter[str] = Counter()
        ended = Ended.DONE
        for key, wish in zip(keys, batch, strict=True):
            if key in kept and self._stays_fresh(wish, kept[key]):
                self._fresh[wish.kind] += 1
                continue
            if (ended := await self._turn()) is not Ended.DONE:
                break
            try:
                made[key] = self._computed(wish)
                counted[wish.kind] += 1
            except CasebookError as error:
                self._failed[error.code] += 1
                if isinstance(error, NotFound):  # deleted where no shim has seen it
                    made |= none_of(key)
        await self._layer.mset(made, answers.KEEP)
        after = self._layer.stats_now()
        if after.failed > before.failed:
            return Ended.AWAY
        if refused := after.refused - before.refused:
            self._failed["REFUSED"] += refused  # over a bound, or the layer is full
        self._warmed += counted
        return ended

    def _stays_fresh(self, wish: Wish, kept: Kept) -> bool:
        """Whether it is the answer of now, and will be until about the next run."""
        name, rule = wish.operation.name, answers.RULES[wish.operation.name]
        lifetime = (rule.fresh if rule.placed else rule.fresh and rule.fresh + rule.again) or LAST
        if answers.age_of(kept) > max(lifetime - EVERY.total_seconds(), lifetime / 2):
            return False
        if not rule.placed and not rule.tag:
            return True
        current = self._current.fresh() if rule.placed else None
        return answers.is_fresh(name, wish.request, kept, current, self._rolled_up)

    def _computed(self, wish: Wish) -> Kept:
        began = time.time()
        body = wish.operation.answer(wish.request, self._broker.resources)
        return answers.kept_of(wish.operation.name, bytes(body), began, self._rolled_up)

    async def _turn(self) -> Ended:
        """Wait until another answer may be computed; `done` if it may."""
        if not await self._traffic.ebbs(self._until):
            return Ended.BUSY
        now = time.monotonic()
        if max(now, self._next) >= self._until:
            return Ended.TIME
        await asyncio.sleep(self._next - now)
        self._next = max(now, self._next) + self._pace
        return Ended.DONE


class Traffic:
    """Searches that wait for a worker: to these, warming gives way."""

    def __init__(self, broker: StreamsBroker) -> None:
        self._broker = broker
        self._looked = 0.0
        self.stood_back = 0.0  # seconds

    async def ebbs(self, until: float) -> bool:
        """Whether none waits, by `until` at the latest. Raises: QueueUnavailable."""
        pause = BACK[0]
        while time.monotonic() >= self._looked + LOOK or pause > BACK[0]:
            waiting = queues.state(self._broker, search.query.queue).waiting
            self._looked = time.monotonic()
            if not waiting:
                return True
            if self._looked + pause >= until:
                return False
            await asyncio.sleep(pause)
            self.stood_back += pause
            pause = min(2 * pause, BACK[1])
        return True
