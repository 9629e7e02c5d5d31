"""One connection that many tasks share: what they ask is sent at once and answered in order.

Whoever stops waiting leaves its place in the row, and its answer is dropped when it comes: nothing
has to be reconnected for a time-out, and there is no pool to run dry. Belongs to one event loop.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

CONNECT_WITHIN = 1.0  # seconds, however soon whoever asked gives up
STUCK_AFTER = 1.0  # seconds without the answer that is due: the connection is given up
MOST_WAITING = 2_000  # questions without an answer; further ones are refused

Argument = str | bytes | int


class Lost(Exception):
    """There is no connection, or it ended before the answer came."""


class Connection:
    """Connects when it is asked something, and again after it was lost."""

    def __init__(self, url: str) -> None:
        self._pool: Any = ConnectionPool.from_url(  # it has no types
            url,
            protocol=2,
            socket_timeout=None,  # redis-py's own would end a connection that is idle
            socket_connect_timeout=CONNECT_WITHIN,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._session: _Session | None = None
        self._connecting: asyncio.Task[_Session] | None = None
        self._silent: float | None = None  # the loop's time of the first question since an answer

    async def ask(self, *command: Argument) -> Any:
        """The answer to one command. Raises Lost, ResponseError; any time-out is the caller's."""
        if self._silent is None:
            self._silent = asyncio.get_running_loop().time()
        session = self._session
        if session is None or session.ended or session.is_stuck():
            session = await self._connect()
        return await session.ask(command)

    def is_silent(self) -> bool:
        """Whether what was asked STUCK_AFTER s ago is the last thing heard, over all connections:
        who asks does not wait for a connection to be made."""
        now = asyncio.get_running_loop().time()
        return self._silent is not None and now - self._silent > STUCK_AFTER

    def _heard(self) -> None:
        self._silent = None

    async def close(self) -> None:
        """Drop the connection; who still waits is told Lost."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _connect(self) -> "_Session":
        """The session that all who ask now share; connecting goes on when one of them gives up."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._begin())
            self._connecting.add_done_callback(self._connected)
        return await asyncio.shield(self._connecting)

    async def _begin(self) -> "_Session":
        if self._session is not None:
            await self._session.close()
            self._session = None
        connection = self._pool.make_connection()
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await connection.connect()
        except (RedisError, OSError, TimeoutError) as error:
            await _disconnect(connection)
            raise Lost(str(error) or "it does not answer") from None
        except asyncio.CancelledError:
            await _disconnect(connection)
            raise
        self._session = _Session(connection, self._heard)
        return self._session

    def _connected(self, task: "asyncio.Task[_Session]") -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # whoever asked may have given up: nobody else looks at it


class _Session:
    """A connection that stands, and the questions on their way."""

    def __init__(self, connection: AbstractConnection, heard: Callable[[], None]) -> None:
        self.ended = False
        self._heard = heard
        self._connection = connection
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._loop = asyncio.get_running_loop()
        self._reader = asyncio.create_task(self._read())

    def is_stuck(self) -> bool:
        """Whether an answer is long due: perhaps nobody is there any more."""
        return bool(self._waiting) and self._loop.time() - self._waiting[0][1] > STUCK_AFTER

    async def ask(self, command: tuple[Argument, ...]) -> Any:
        if len(self._waiting) >= MOST_WAITING:
            raise Lost("too many questions are on their way")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((future, self._loop.time()))
        try:
            # It is written before anybody else runs: answers come in this order.
            packed = self._connection.pack_command(*command)
            await self._connection.send_packed_command(packed, check_health=False)
        except (RedisError, OSError) as error:
            self._end()
            raise Lost(str(error)) from None
        except asyncio.CancelledError:
            self._end()  # half of the command may have been sent
            raise
        return await future

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await _disconnect(self._connection)

    async def _read(self) -> None:
        try:
            while True:
                answer: Any = None
                try:
                    answer = await self._connection.read_response()
                except ResponseError as error:
                    answer = error
                future, _ = self._waiting.popleft()
                self._heard()
                if future.done():
                    continue  # nobody waits for it any more
                if isinstance(answer, ResponseError):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except (RedisError, OSError):
            await _disconnect(self._connection)
        finally:
            self._end()

    def _end(self) -> None:
        self.ended = True
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(Lost("the connection ended"))


async def _disconnect(connection: AbstractConnection) -> None:
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        await connection.disconnect(nowait=True)
