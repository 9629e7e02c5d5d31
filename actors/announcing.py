"""What a node's index has published, told to shims that do not see its folder.

A hash in Redis holds what each node said last, and a stream who has said something: whoever reads
the stream's end first and the hash then misses nothing. Hot answers cost no round trip so.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, Self

import hiredis
from redis.exceptions import ResponseError

from actors.broker.broker import StreamsBroker
from actors.broker.link import answered
from actors.broker.wire import Wire
from contracts.errors import QueueUnavailable
from contracts.position import Position
from storage.index import elsewhere, published, tuning
from storage.index.elsewhere import Told
from storage.index.freshness import Fresh

log = logging.getLogger(__name__)

#: Hash: node -> what it has published (2 KB; 25 KB where 256 categories were touched).
NODES = "{casebook:published}:nodes"
#: Stream: the names of nodes that have published something.
SAID = "{casebook:published}:said"
KEEP = 1_000  # of these names: who was away for longer reads everything again

LISTEN = 0.5  # seconds without news after which Redis is asked for a sign of life
TRUST = 2.0  # seconds that what is known is believed without one
RECONNECT = 0.05, 1.0  # seconds: first and longest pause


class Announcer:
    """Tells what is published in a node's folder; for one thread.

    It says nothing before the index has followed the feed once: what lies there at a start may be
    of a history that a restore has ended.
    """

    def __init__(self, broker: StreamsBroker, node: str, root: Path) -> None:
        self._broker = broker
        self._node = node
        self._root = root
        self._told: object = None

    def __call__(self, again: bool = False) -> None:
        """Tell it if it is new, or `again`, since Redis may have lost it.

        Raises: QueueUnavailable, QueueFull.
        """
        seen = published.stamp(self._root), tuning.stamp(self._root)
        if (seen == self._told and not again) or (again and self._told is None):
            return
        link = self._broker.link
        link.connect()  # it brings Redis's clock
        said = elsewhere.pack(self._root, int(link.clock.now_ms()))
        if said is None:
            return
        answers = link.ask(
            (b"MULTI",),
            (b"HSET", NODES, self._node, said),
            (b"XADD", SAID, b"MAXLEN", b"~", KEEP, b"*", b"node", self._node),
            (b"EXEC",),
        )
        try:
            for answer in answers:
                answered(answer)
        except ResponseError as error:  # it takes no writes now
            raise QueueUnavailable(reason=str(error)) from error
        self._told = seen


class Heard:
    """What all nodes have published, as far as it is known here. Belongs to one event loop.

    Nothing is known while Redis is away, nor when it has been silent for TRUST: so long a commit
    may go unheard, if the connection to Redis ends without a word. Begins to listen when it is
    first asked.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._task: asyncio.Task[None] | None = None
        self._nodes: dict[bytes, Told] = {}
        self._known: Fresh | None = None
        self._as_of = float("-inf")

    def fresh(self) -> Fresh | None:
        """What is published; None where nobody can tell."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep())
        return self._known if time.monotonic() - self._as_of <= TRUST else None

    def met(self, position: Position) -> None:
        """An answer came from there: its node may have published before it could tell."""
        if self._known is not None:
            self._known = self._known.at_least(position)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        """Listen, and connect again whenever the connection ends."""
        pause, heard = RECONNECT[0], True
        while True:
            try:
                wire = await Wire.connect(self._url)
                try:
                    pause, heard = RECONNECT[0], True
                    await self._listen(wire)
                finally:
                    self._as_of = float("-inf")
                    wire.close()
            except (QueueUnavailable, hiredis.HiredisError) as error:
                if heard:  # once for each time that it went
                    heard = False
                    log.warning(
                        "what nodes publish can't be heard, searches are computed: %s", error
                    )
            await asyncio.sleep(pause)
            pause = min(2 * pause, RECONNECT[1])

    async def _listen(self, wire: Wire) -> None:
        """Follow what is said. Raises: QueueUnavailable, hiredis.HiredisError."""
        self._nodes.clear()
        latest = await _answer(wire, b"XREVRANGE", SAID, b"+", b"-", b"COUNT", 1)
        last = latest[0][0] if latest else b"0-0"
        asked = time.monotonic()
        flat = await _answer(wire, b"HGETALL", NODES)
        self._take(flat[::2], flat[1::2], asked)
        wait = int(LISTEN * 1000)
        while True:
            asked = time.monotonic()
            found = await _answer(wire, b"XREAD", b"BLOCK", wait, b"STREAMS", SAID, last)
            if not found:
                self._as_of = asked
                continue
            said = found[0][1]
            last = said[-1][0]
            names = list({fields[1] for _, fields in said})
            asked = time.monotonic()
            self._take(names, await _answer(wire, b"HMGET", NODES, *names), asked)

    def _take(self, names: list[bytes], bodies: list[bytes | None], asked: float) -> None:
        """This is what these nodes have said, as it was when Redis was `asked`."""
        for name, body in zip(names, bodies, strict=True):
            told = elsewhere.unpack(body) if body else None
            if told is None:
                self._nodes.pop(name, None)  # of another release
            else:
                self._nodes[name] = told
        before, self._known = self._known, elsewhere.furthest(self._nodes.values())
        if before is not None:  # Redis may have come back with less than it had
            self.met(before.position)
        self._as_of = asked


async def _answer(wire: Wire, *command: Any) -> Any:
    """The answer to one command. Raises: QueueUnavailable, hiredis.HiredisError."""
    try:
        async with asyncio.timeout(TRUST):
            return await wire.ask(command)
    except TimeoutError:
        raise QueueUnavailable(reason=f"no answer for {TRUST:g} s") from None
