"""Events on their way to the database: gathered, then one message for many of them.

Nothing on a request's path waits for any of this.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from types import TracebackType

import orjson

from actors import analytics
from actors.broker.client import Client
from contracts.analytics import BATCH_MAX, Event
from contracts.errors import CasebookError
from pipelines.events import dropped

log = logging.getLogger(__name__)

EVERY = 0.2  # seconds that an event waits for others, at most
MOST = 20_000  # events held here while they can't be sent; then the oldest goes
WAITING = 200  # messages in the queue (100,000 events) from which on events are held here
SIZE = 256 * 1024  # bytes of a message
AGAIN = 1.0  # seconds until it is tried again
ENDING = 2.0  # seconds for what is left when the process ends


class Gatherer:
    """Sends events in batches of at most BATCH_MAX, of one event loop.

    While Redis is away, or the queue is long because PostgreSQL is, it holds the newest `most`
    events and counts the others in `dropped`, which becomes an event itself.
    """

    def __init__(self, client: Client, *, most: int = MOST, waiting: int = WAITING) -> None:
        self._client = client
        self._most = most
        self._waiting = waiting
        self._held: deque[bytes] = deque()
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()
        self._sending: asyncio.Task[None] | None = None
        self._told = 0
        self.dropped = 0

    async def __aenter__(self) -> "Gatherer":
        self._sending = asyncio.create_task(self._send_on())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._sending is not None
        self._sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sending
        with contextlib.suppress(TimeoutError, CasebookError):
            async with asyncio.timeout(ENDING):
                await self._send_all()
        if self._held:
            log.warning("%d events are lost: they could not be sent", len(self._held))

    @property
    def held(self) -> int:
        """Events that are not sent yet."""
        return len(self._held)

    async def all_sent(self) -> None:
        """Return once nothing is held."""
        await self._none.wait()

    def later(self, make: Callable[[], bytes]) -> None:
        """Add the event whose JSON `make` makes, once this turn of the event loop is over."""
        asyncio.get_running_loop().call_soon(self._add_made, make)

    def add(self, event: Event) -> None:
        """Add an event."""
        self._hold(_encoded(event))

    def _add_made(self, make: Callable[[], bytes]) -> None:
        try:
            self._hold(make())
        except Exception:  # an event is never worth a request
            log.exception("an event could not be made")
            self.dropped += 1

    def _hold(self, event: bytes) -> None:
        if len(self._held) >= self._most:
            self._held.popleft()
            self.dropped += 1
        self._held.append(event)
        self._some.set()
        self._none.clear()
        if len(self._held) >= BATCH_MAX:
            self._full.set()

    async def _send_on(self) -> None:
        while True:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._full.wait()
            try:
                await self._send_all()
            except CasebookError as error:
                log.warning("%d events wait here: %s", len(self._held), error.message)
                await asyncio.sleep(AGAIN)
            except Exception:  # nobody else would send them
                log.exception("events could not be sent; trying again")
                await asyncio.sleep(AGAIN)

    async def _send_all(self) -> None:
        """Send what is held. Raises: Unavailable; what was not sent is held then."""
        while self._held and not await self._is_long():
            batch, lost = self._batch(), self.dropped
            note = [_encoded(dropped(lost - self._told))] if lost > self._told else []
            events = [orjson.Fragment(event) for event in (*batch, *note)]
            try:
                await self._client.send(analytics.record.message({"events": events}))
            except BaseException:
                self._give_back(batch)
                raise
            if note:
                log.warning("%d events were dropped", lost - self._told)
                self._told = lost
        if self._held:
            await asyncio.sleep(AGAIN)
        else:
            self._some.clear()
            self._none.set()
        self._full.clear()

    async def _is_long(self) -> bool:
        """Whether the queue holds so much that nobody seems to take it up."""
        return await self._client.backlog(analytics.record.queue) >= self._waiting

    def _batch(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._held and len(batch) < BATCH_MAX - 1 and size < SIZE:
            batch.append(self._held.popleft())
            size += len(batch[-1])
        return batch

    def _give_back(self, batch: list[bytes]) -> None:
        """The oldest of them are dropped where newer ones have come meanwhile."""
        over = max(0, len(batch) + len(self._held) - self._most)
        self.dropped += over
        self._held.extendleft(reversed(batch[over:]))


def _encoded(event: Event) -> bytes:
    return event.model_dump_json(exclude_none=True).encode()
