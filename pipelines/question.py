"""A question on its way along the chain of answers, and what an actor says to it."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel

from contracts.errors import DeadlineExceeded, NoReply, Unavailable
from contracts.position import Position
from storage.cache.answers import RULES, digest, is_fresh, kept_of, looks_at
from storage.cache.layer import Kept
from storage.index.freshness import Fresh

M = TypeVar("M", bound=BaseModel)
#: Asks an actor: the request, and the seconds that it may take.
Compute = Callable[[M, float], Coroutine[Any, Any, bytes]]

#: What computes is away, or too busy to answer in time.
AWAY = (Unavailable, NoReply, DeadlineExceeded)
CONFIRM = 60.0  # seconds after which the same answer is kept again, for its age
LAGGING = 1.0  # seconds for a worker that is behind this node's index to catch up


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what was published at that moment."""

    operation: str
    request: Any
    key: str
    seen: Fresh | None
    #: Of the operation's tag.
    token: str | None
    compute: Compute[Any]
    timeout: float

    def is_fresh(self, kept: Kept) -> bool:
        return is_fresh(self.operation, self.request, kept, self.seen, self.token)

    @property
    def since(self) -> Position | None:
        """When anything that it looks at was touched last."""
        return self.seen.since(looks_at(self.request)) if self.seen else None

    @property
    def flight(self) -> str:
        """Equal for who may share an answer: nothing that it looks at was touched in between."""
        edition = self.seen.edition if self.seen else self.token
        return f"{self.key} {getattr(self.request, 'after', None)} {edition} {self.since}"

    @property
    def claim(self) -> str:
        """The same, as a key."""
        return digest(self.flight.encode())

    def lags(self, kept: Kept) -> bool:
        """Whether it was answered by an index that is behind what is published here."""
        since = self.since
        if since is None or not kept.position:  # a worker of an older release does not tell
            return False
        return not Position.parse(kept.position).reaches(since)

    async def answered(self) -> Kept:
        """What an actor says. Raises: what `compute` raises."""
        began = time.time()
        body = await self.compute(self.request, self.timeout)
        return kept_of(self.operation, body, began, self.token, self.seen)

    async def caught_up(self, behind: Kept) -> Kept:
        """What a worker says whose index is as far as this node's; `behind` if none is, or the
        operation can't be asked so."""
        if "after" not in type(self.request).model_fields:
            return behind
        request = self.request.model_copy(update={"after": str(self.since)})
        try:
            return await replace(self, request=request, timeout=LAGGING).answered()
        except AWAY:
            return behind

    def is_known(self, kept: Kept, known: Kept | None) -> bool:
        """Whether `kept` need not be kept again: it is for a bad day alone, says the same of the
        same index, and its age is nearly the same."""
        if known is None or RULES[self.operation].fresh:
            return False
        same = kept.body == known.body and kept.position == known.position
        return same and kept.made_at - known.made_at < CONFIRM
