"""The asking side: sends messages and resolves their replies, all from one reply list."""

import asyncio
import contextlib
import logging
import secrets
from types import TracebackType
from typing import Any

import dramatiq
import hiredis

from actors.broker import scripts
from actors.broker.admission import Admission
from actors.broker.broker import StreamsBroker
from actors.broker.clock import Clock
from actors.broker.encoding import with_options
from actors.broker.keys import kept, reply_list
from actors.broker.link import Command
from actors.broker.replies import Frame, decode_frame
from actors.broker.wire import Answer, Wire
from contracts.errors import CasebookError, NoReply, QueueFull, QueueUnavailable

log = logging.getLogger(__name__)

REPLIES_AT_ONCE = 512
MARGIN = 1.0  # seconds before its time-out in which a caller may miss a reply
RECONNECT = 0.05, 1.0  # seconds: first and longest pause
LISTEN = 5  # seconds without a reply after which Redis is asked for a sign of life
SILENCE = 10.0  # seconds without one after which it has vanished: nothing else would tell
READ_CLOCK = 1.0  # seconds after which a request reads Redis's clock too, in the same write


class Client:
    """Asks for operations and awaits their replies, from one asyncio event loop.

    Use it as `async with Client(broker) as client:`. It never waits for Redis to come back on
    behalf of a caller: a request made while Redis is away fails at once with QueueUnavailable,
    and so do the requests that were waiting when it went. Asking again with the same key is safe.

    A `patient` client may be entered while Redis is away (a server that starts before it).
    """

    def __init__(
        self,
        broker: StreamsBroker,
        *,
        patient: bool = False,
        admission: Admission | None = None,
    ) -> None:
        self.broker = broker
        #: Refuses what would only wait; without one, everything is sent.
        self.admission = admission
        self._patient = patient
        self._list = reply_list(secrets.token_hex(8))
        self._waiting: dict[str, asyncio.Future[Frame]] = {}
        self._wire: Wire | None = None
        self._clock = Clock()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Client":
        """Connect. Raises QueueUnavailable when Redis can't be reached now, unless patient."""
        listening: Wire | None = None
        try:
            listening = await self._connect()
        except QueueUnavailable:
            if not self._patient:
                raise
        self._keeper = asyncio.create_task(self._keep(listening))
        # Canceled before its first step, a task runs nothing, not even what closes `listening`.
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._wire is not None:
            self._wire.close()
            await self._wire.closed

    @property
    def connected(self) -> bool:
        """Whether Redis was there a moment ago."""
        return self._wire is not None and not self._wire.closed.done()

    async def call(
        self,
        message: dramatiq.Message[Any],
        *,
        timeout: float,
        deadline: bool,
        early: bool = False,
    ) -> bytes:
        """The JSON of the reply to `message`, awaited for at most `timeout` seconds.

        With `deadline` (reads), a worker that takes the message up later drops it. With `early`
        (writes), WriteWaiting comes as soon as it is clear that PostgreSQL is away for longer.

        Raises: the error that the worker answered with; NoReply, whose `details.task` is the
        message's id; QueueUnavailable (the message
        may have been enqueued); QueueFull and Overloaded (it was not); MessageTooLarge.
        """
        options = self._options(timeout, deadline=deadline, early=early)
        try:
            return await self._called(message, options, timeout)
        except NoReply as error:  # a worker's own too, which tells that a write waits
            error.details.setdefault("task", message.message_id)
            raise

    async def _called(
        self, message: dramatiq.Message[Any], options: dict[str, Any], timeout: float
    ) -> bytes:
        place = self.admission.enter(message.queue_name) if self.admission else None
        if place is None:
            return (await self._answer(with_options(message, options), timeout)).result()
        options["tell_wait"] = True
        with place:
            try:
                frame = await self._answer(with_options(message, options), timeout)
            except NoReply:
                place.heard(timeout)
                raise
            if frame.waited_ms is not None:
                place.heard(frame.waited_ms / 1000)
            return frame.result()

    def _options(self, timeout: float, *, deadline: bool, early: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"reply_to": self._list}
        if deadline:
            options["deadline"] = int(self._clock.now_ms() + timeout * 1000)
        else:
            awaited = max(timeout - MARGIN, timeout / 2)
            options["awaited_until"] = int(self._clock.now_ms() + awaited * 1000)
        if early:
            options["early"] = True
        return options

    async def _answer(self, message: dramatiq.Message[Any], timeout: float) -> Frame:
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[message.message_id] = reply
        timer = reply.get_loop().call_later(timeout, _give_up, reply, timeout)
        try:
            # The reply is awaited at once: for Redis to confirm first is one turn more.
            self._send(message, Sent(reply))
            return await reply
        finally:
            timer.cancel()
            self._waiting.pop(message.message_id, None)

    async def send(self, message: dramatiq.Message[Any]) -> None:
        """Enqueue `message` and expect no reply. Raises QueueUnavailable, QueueFull."""
        try:
            sent = asyncio.get_running_loop().create_future()
            self._send(message, sent)
            await sent
        except hiredis.ReplyError as error:
            raise _refusal(error) from error

    async def keep(self, name: str, value: bytes, lifetime: int) -> None:
        """Keep something small for `lifetime` ms. Raises QueueUnavailable, QueueFull."""
        await self._ask((b"SET", kept(name), value, b"PX", lifetime))

    async def kept(self, name: str) -> bytes | None:
        """What someone keeps under this name. Raises QueueUnavailable."""
        found: bytes | None = await self._ask((b"GET", kept(name)))
        return found

    async def backlog(self, queue: str) -> int:
        """Messages of a queue that are not done, dead ones apart. Raises QueueUnavailable."""
        keys = self.broker.keys(queue)
        waiting = self._ask((b"XLEN", keys.waiting))
        suspects = self._ask((b"XLEN", keys.suspects))
        return sum(await asyncio.gather(waiting, suspects, self._ask((b"ZCARD", keys.delayed))))

    async def _ask(self, command: Command) -> Any:
        if self._wire is None:
            raise QueueUnavailable(reason="not connected")
        try:
            return await self._wire.ask(command)
        except hiredis.ReplyError as error:
            raise _refusal(error) from error

    def _send(self, message: dramatiq.Message[Any], sent: Answer) -> None:
        if self._wire is None or self._wire.closed.done():
            raise QueueUnavailable(reason="not connected")
        prepared = self.broker.prepare(message)
        self._wire.tell(prepared.command, sent)
        if self._clock.age >= READ_CLOCK:
            self._wire.ask((b"TIME",)).add_done_callback(self._set_clock)
        self.broker.emit_after("enqueue", prepared.message, prepared.delay)

    def _set_clock(self, answer: "asyncio.Future[Any]") -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._clock.set(answer.result())

    async def _connect(self) -> Wire:
        """Open both connections; the one returned is for listening."""
        wire = await Wire.connect(self.broker.url)
        try:
            await _heard(wire.ask(scripts.load("enqueue")), SILENCE)
            self._clock.set(await _heard(wire.ask((b"TIME",)), SILENCE))
            listening = await Wire.connect(self.broker.url)
        except (QueueUnavailable, hiredis.HiredisError) as error:
            wire.close()
            raise QueueUnavailable(reason=str(error)) from error
        self._wire = wire
        return listening

    async def _keep(self, listening: Wire | None) -> None:
        """Listen, and connect again whenever either connection ends."""
        while True:
            listening = listening or await self._reconnect()
            try:
                await self._listen(listening)
            except (QueueUnavailable, hiredis.HiredisError) as error:
                log.warning("the connection to Redis ended: %s", error)
            finally:
                listening.close()
                if self._wire is not None:
                    self._wire.close()
            self._fail_all()
            listening = None

    async def _listen(self, listening: Wire) -> None:
        assert self._wire is not None
        self._wire.closed.add_done_callback(lambda _: listening.close())
        while True:
            # BLPOP waits for the first; the LPOP behind it takes what came with it (BLMPOP does
            # both, but only from Redis 7).
            first = listening.ask((b"BLPOP", self._list, LISTEN))
            rest = listening.ask((b"LPOP", self._list, REPLIES_AT_ONCE))
            rest.add_done_callback(_seen)  # if BLPOP fails, nobody awaits this one
            answer = await _heard(first, LISTEN + SILENCE)
            if answer is None:
                await _heard(self._wire.ask((b"PING",)), SILENCE)
            else:
                self._resolve(answer[1])
            for frame in await rest or ():
                self._resolve(frame)

    def _resolve(self, data: bytes) -> None:
        try:
            frame = decode_frame(data)
        except ValueError:
            log.error("dropped %d bytes that are no reply", len(data))
            return
        reply = self._waiting.get(frame.message_id)
        if reply is not None and not reply.done():  # else it came twice, or too late
            reply.set_result(frame)

    async def _reconnect(self) -> Wire:
        pause = RECONNECT[0]
        while True:
            try:
                return await self._connect()
            except QueueUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, RECONNECT[1])

    def _fail_all(self) -> None:
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(QueueUnavailable())


class Sent:
    """Hears whether Redis took a request, and fails its reply if not.

    A future for that, and its call-back, took as much of a turn of the event loop as the reply.
    """

    __slots__ = ("_reply",)

    def __init__(self, reply: "asyncio.Future[Frame]") -> None:
        self._reply = reply

    def done(self) -> bool:
        """Whether it need not be told: the caller has given up, or was even answered."""
        return self._reply.done()

    def set_result(self, result: Any) -> None:
        """It was taken."""

    def set_exception(self, error: Exception) -> None:
        """It was not, or nobody knows."""
        self._reply.set_exception(
            _refusal(error) if isinstance(error, hiredis.ReplyError) else error
        )


async def _heard(answer: "asyncio.Future[Any]", within: float) -> Any:
    """The answer. Raises QueueUnavailable when none comes within so many seconds."""
    # asyncio.timeout costs as much as all else that is done for a reply here.
    timer = answer.get_loop().call_later(within, _miss, answer, within)
    try:
        return await answer
    finally:
        timer.cancel()


def _miss(answer: "asyncio.Future[Any]", within: float) -> None:
    if not answer.done():
        answer.set_exception(QueueUnavailable(reason=f"no answer for {within:g} s"))


def _seen(answer: "asyncio.Future[Any]") -> None:
    if not answer.cancelled():
        answer.exception()


def _give_up(reply: "asyncio.Future[Frame]", timeout: float) -> None:
    if not reply.done():
        reply.set_exception(NoReply(f"No answer came within {timeout:g} s."))


def _refusal(error: hiredis.ReplyError) -> CasebookError:
    if "OOM" in str(error):
        return QueueFull(reason=str(error))
    return QueueUnavailable(reason=str(error))
