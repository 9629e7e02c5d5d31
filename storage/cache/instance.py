"""The instance that the warm layer is in: asked within a time, and left alone while it fails."""

import asyncio
import logging
from functools import cache
from hashlib import sha1
from importlib.resources import files
from time import perf_counter, thread_time
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from contracts.errors import Unavailable
from storage.breaker import Attempt, Breaker, State
from storage.cache.connection import Argument, Connection, Lost
from storage.cache.times import Times

log = logging.getLogger(__name__)

TIMEOUT = 0.05  # seconds that a call may cost whoever makes it
#: Seconds that the event loop itself may be late with a time-out before it proves nothing.
LATE = 0.02
#: Of the time-out: who computes for more of it sees answers late. An instance that is silent for
#: longer (connection.STUCK_AFTER) is at fault, however busy the loop.
BUSY = 0.5
#: Seconds; the upper bounds that calls are counted by.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)


class Away(Exception):
    """It did not answer, or not in time, or is left alone for now."""


class Instance:
    """Redis or Valkey at `url`, behind `breaker`. Belongs to one event loop; connects by itself."""

    def __init__(self, url: str, breaker: Breaker, timeout: float = TIMEOUT) -> None:
        self.breaker = breaker
        self.failed = 0
        self._timeout = timeout
        self._connection = Connection(url)
        self.times = Times(BOUNDS)
        self._openings = 0  # that were told

    async def ask(self, *command: Argument) -> Any:
        """The answer to one command. Raises Away, ResponseError."""
        try:
            attempt = self.breaker.attempt()
        except Unavailable as refusal:
            self.failed += 1
            raise Away(str(refusal)) from None
        return await self._asked(attempt, command)

    async def insist(self, *command: Argument) -> Any:
        """As `ask`, though it is left alone: for what others must hear of as soon as may be.

        Whoever calls this does so seldom. An answer ends the time in which it is left alone.
        """
        if self.is_up:
            return await self.ask(*command)
        answer = await self._asked(self.breaker.unheard(), command)
        self.breaker.close()
        return answer

    async def _asked(self, attempt: Attempt, command: tuple[Argument, ...]) -> Any:
        began, busy = perf_counter(), thread_time()
        try:
            async with asyncio.timeout(self._timeout) as limit:
                answer = await self._connection.ask(*command)
        except ResponseError:
            attempt.succeeded()
            raise
        except TimeoutError:
            # A loop that was busy could not see the answer either: that says nothing about it.
            late = asyncio.get_running_loop().time() - (limit.when() or 0.0) > LATE
            was_busy = thread_time() - busy > self._timeout * BUSY
            if late or (was_busy and not self._connection.is_silent()):
                attempt.abandoned()
            else:
                attempt.failed()
            raise self._away("no answer in time") from None
        except Lost as error:
            attempt.failed()
            raise self._away(str(error)) from None
        except BaseException:
            attempt.abandoned()
            raise
        finally:
            self.times.count(perf_counter() - began)
        attempt.succeeded()
        return answer

    async def run(
        self, name: str, keys: list[str], *arguments: Argument, insist: bool = False
    ) -> Any:
        """What the script `lua/NAME.lua` answers. Raises Away, ResponseError."""
        text, digest = _script(name)
        ask = self.insist if insist else self.ask
        try:
            return await ask(b"EVALSHA", digest, len(keys), *keys, *arguments)
        except NoScriptError:  # the server is new: this brings the script, too
            return await ask(b"EVAL", text, len(keys), *keys, *arguments)

    @property
    def is_up(self) -> bool:
        """Whether it is not left alone for now."""
        return self.breaker.state is State.CLOSED

    async def close(self) -> None:
        """Drop the connection."""
        await self._connection.close()

    def _away(self, reason: str) -> Away:
        self.failed += 1
        openings = self.breaker.circuit().openings
        if openings > self._openings:
            self._openings = openings
            log.warning("the warm layer of the cache is left alone for a while: %s", reason)
        return Away(reason)


@cache
def _script(name: str) -> tuple[bytes, bytes]:
    """A script's text, and the name by which a server knows it."""
    text = files("storage.cache").joinpath("lua", f"{name}.lua").read_bytes()
    return text, sha1(text, usedforsecurity=False).hexdigest().encode()
