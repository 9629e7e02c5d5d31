"""A pipelined asyncio connection to Redis on hiredis.

redis.asyncio cost 1.6-1.8 times as much at 64 waiting requests in the prototype: it reads each
answer through a stream and a coroutine of its own. Here the commands of one turn of the
event loop leave in one write, and answers resolve futures in order.
"""

import asyncio
import ssl
from collections import deque
from typing import Any, Protocol, cast

import hiredis
from redis.connection import parse_url

from actors.broker.link import CONNECT_TIMEOUT, Command
from contracts.errors import QueueUnavailable


class Answer(Protocol):
    """What takes the answer to one command: a future, or less."""

    def done(self) -> bool:
        """Whether nobody wants it any more."""

    def set_result(self, result: Any, /) -> None:
        """The answer."""

    def set_exception(self, error: Exception, /) -> None:
        """QueueUnavailable, or hiredis.ReplyError."""


class Wire(asyncio.Protocol):
    """One connection. `ask` may be called by any number of tasks of its event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._asked: deque[Answer] = deque()
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        #: Done when the connection has ended.
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def connect(cls, url: str) -> "Wire":
        """Open a connection to one of redis-py's URLs. Raises QueueUnavailable."""
        options = dict(parse_url(url))  # type: ignore[no-untyped-call]  # redis-py's
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if "path" in options:
                    _, wire = await loop.create_unix_connection(cls, options["path"])
                else:
                    _, wire = await loop.create_connection(
                        cls,
                        options.get("host", "localhost"),
                        options.get("port", 6379),
                        ssl=_tls(options) if url.startswith("rediss") else None,
                    )
                if options.get("password"):
                    user = (options["username"],) if options.get("username") else ()
                    await wire.ask((b"AUTH", *user, options["password"]))
                if options.get("db"):
                    await wire.ask((b"SELECT", options["db"]))
        except (OSError, TimeoutError, hiredis.HiredisError) as error:
            raise QueueUnavailable(reason=str(error) or type(error).__name__) from error
        return wire

    def ask(self, command: Command) -> "asyncio.Future[Any]":
        """A future of the answer; its exception is QueueUnavailable or hiredis.ReplyError."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self.tell(command, answer)
        return answer

    def tell(self, command: Command, answer: Answer) -> None:
        """As `ask`, with what is to take the answer."""
        if self._transport is None or self.closed.done():
            answer.set_exception(QueueUnavailable(reason="not connected"))
            return
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # any length is taken
        self._asked.append(answer)

    def close(self) -> None:
        """End the connection; what is still asked fails with QueueUnavailable."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self._transport is not None and unsent:
            self._transport.write(b"".join(unsent))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not False:
                future = self._asked.popleft()
                if future.done():
                    continue  # its asker has given up
                if isinstance(answer, hiredis.ReplyError):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except (hiredis.ProtocolError, IndexError):
            self.close()  # not a Redis server, or answers out of step

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        unavailable = QueueUnavailable(reason=str(error or "the connection was closed"))
        while self._asked:
            future = self._asked.popleft()
            if not future.done():
                future.set_exception(unavailable)
        if not self.closed.done():
            self.closed.set_result(None)


def _tls(options: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    if options.get("ssl_cert_reqs") in ("none", "optional"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
