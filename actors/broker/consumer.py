"""One thread's reading of one queue: take, settle, reconcile.

Each thread is a Redis consumer of its own, so that it alone knows what it holds: all that is
pending under its name and not in its hands was lost with a connection, and is run.
"""

import random
from collections.abc import Sequence
from typing import Any

import orjson
from dramatiq import Message
from dramatiq.errors import DecodeError
from redis.exceptions import ResponseError

from actors.broker import scripts
from actors.broker.delivery import Dead, Delivery, Reason
from actors.broker.encoding import BOOKKEEPING, MESSAGE_MAX
from actors.broker.ending import Ended, Undelivered, died, ended
from actors.broker.history import count, said
from actors.broker.keys import GROUP, QueueKeys
from actors.broker.link import Command, Link, answered

RECEIPT_LIFETIME = 600_000  # ms: far longer than a settle is repeated after a lost answer
REPLY_LIFETIME = 60_000  # ms: an abandoned reply list goes by itself
BODY, CRASHES, WORKERS = 1, 3, 5  # places in a stream entry's flat list of fields


class Consumer:
    """Reads messages of one queue for one thread.

    `name` must be this thread's own. Every method raises QueueUnavailable when the connection
    fails; calling it again is right: a settle is done once, and what a lost read had handed out
    comes back from `take`.
    """

    def __init__(self, link: Link, keys: QueueKeys, name: str) -> None:
        self.link = link
        self.keys = keys
        self.name = name
        self._seen_generation = 0
        #: Whether the queue was paused when Redis last told: then nothing is to be begun.
        self.paused = False
        #: Whether the settle before found nothing to take: then the next take may wait at once.
        self._looked = False
        self._pause = -1  # ms until the next delayed message is due, -1: none
        self._behind: bytes | None = None  # paused or full: the signal's id to wait behind
        self._settling: tuple[str, Sequence[Delivery], list[Command]] | None = None
        self._broken: list[Ended] = []

    def take(self, count: int, block: int) -> list[Delivery]:
        """Up to `count` messages, waiting at most `block` ms for the first; maybe none."""
        self.link.connect()
        if self._seen_generation != self.link.generation:
            self._looked = False
            self._make_groups()
            stranded = self._stranded()
            self._seen_generation = self.link.generation
            if stranded:
                return stranded
        looked, self._looked = self._looked, False
        if not (looked and block > 0):
            taken = self._next(self.link.ask(self._next_command(count))[0])
            if taken or block <= 0:
                return taken
        return self._wait(count, block) if self._behind is None else self._wait_for_signal(block)

    def settle(self, deliveries: Sequence[Delivery], *, and_take: int = 0) -> list[Delivery]:
        """End `deliveries` as their outcomes say, their replies in the same write; a lone reply
        just before it.

        With `and_take`, also take up to that many new messages in the same write. What was
        claimed by another consumer meanwhile stays with it.
        """
        again = self._settling is not None
        if self._settling is None:
            self._settling = (_token(), deliveries, _reply_commands(deliveries))
        token, settled, replies = self._settling
        # Reconnecting inside the write would hide that an earlier read's answer was lost.
        self.link.connect()
        # Redis tells nobody of anything before it has done all that came in one write: a lone
        # reply leaves ahead, and its caller has it while this is settled.
        lone = len(settled) == 1 and bool(replies)
        if lone:
            self.link.send(*replies)
        now = self.link.clock.now_ms()
        ends = [ended(one, now) for one in settled]
        takes = and_take > 0 and self._seen_generation == self.link.generation
        commands = [] if lone else list(replies)
        commands.append(self._settle_command(token, ends, takes=takes, again=again))
        if takes:
            commands.append(self._next_command(and_take))
        answers = self.link.ask(*commands)
        words = answered(answers[-2 if takes else -1])
        self.paused = words[-1:] == [b"paused"]
        # A script for every reply would cost Redis a third more of what a reply costs it.
        told = self.link.early[-len(replies) :] if lone else answers
        if refused := _refused_replies(replies, told):
            self.link.ask(*refused)
        self._settling = None
        taken = self._next(answers[-1]) if takes else []
        self._looked = takes and not taken
        return taken

    def leave(self) -> None:
        """End this consumer's heartbeat; forget it unless something is pending under it."""
        keys = (self.keys.waiting, self.keys.suspects, self.keys.alive + self.name)
        self.link.ask(scripts.call("leave", keys, GROUP, self.name))

    def _wait(self, count: int, block: int) -> list[Delivery]:
        if self._pause >= 0:
            block = min(block, max(self._pause, 1))
        reader = (b"XREADGROUP", b"GROUP", GROUP, self.name, b"COUNT", count, b"BLOCK", block)
        # The queue may be paused, or full, while the read blocks: the rules are read behind it.
        answer, ruled = self.link.ask(
            (*reader, b"STREAMS", self.keys.waiting, b">"), self._rules_command()
        )
        if answered(answer):
            return self._admitted("waiting", answer[0][1], answered(ruled))
        # Idle: whatever is pending here was handed out over a connection that is gone.
        return self._stranded()

    def _wait_for_signal(self, block: int) -> list[Delivery]:
        """Wait until a pause may have ended, or a slot is free; nothing is handed out."""
        assert self._behind is not None
        reader = (b"XREAD", b"BLOCK", block, b"STREAMS", self.keys.signal, self._behind)
        return [] if answered(self.link.ask(reader)[0]) else self._stranded()

    def _rules_command(self) -> Command:
        return (b"HMGET", self.keys.rules, b"paused", b"limit")

    def _admitted(self, origin: str, entries: list[Any], ruled: Sequence[Any]) -> list[Delivery]:
        """The messages among `entries`, or none: then the rules had them handed back."""
        messages = [entry for entry, fields in entries if fields and fields[0] == b"body"]
        if messages and self._is_barred(*ruled):
            back = [Ended(origin, entry, "release", "", b"") for entry in messages]
            answered(self.link.ask(self._settle_command(_token(), back))[0])
            entries = [one for one in entries if one[0] not in messages]
        return self._deliveries(origin, entries)

    def _is_barred(self, paused: bytes | None, limit: bytes | None) -> bool:
        """Whether what is in hand is more than the queue's rules allow."""
        self.paused = paused is not None
        if self.paused or limit is None:
            return self.paused
        streams = (self.keys.waiting, self.keys.suspects)
        in_hand = self.link.ask(*[(b"XPENDING", stream, GROUP) for stream in streams])
        return sum(int(answered(answer)[0]) for answer in in_hand) > int(limit)

    def _next_command(self, count: int) -> Command:
        keys = self.keys
        names = (keys.waiting, keys.suspects, keys.delayed, keys.unique, keys.rules, keys.signal)
        return scripts.call("next", names, GROUP, self.name, count)

    def _next(self, answer: Any) -> list[Delivery]:
        if isinstance(answer, ResponseError) and "NOGROUP" in str(answer):
            self._make_groups()  # the streams were deleted under us
            return []
        self._pause, origin, entries, time, *behind = answered(answer)
        self._behind, self.paused = (behind[0] if behind else None), origin == b"paused"
        self.link.clock.set(time)  # it comes for nothing; Redis's clock may be set meanwhile
        return self._deliveries(origin.decode(), entries)

    def _make_groups(self) -> None:
        streams = (self.keys.waiting, self.keys.suspects)
        # A script that the server does not know runs after all else in its write: a settle would
        # come behind the take that is sent with it.
        loads = [scripts.load(name) for name in ("settle", "next")]
        *_, made = self.link.ask(*loads, scripts.call("groups", streams, GROUP))
        answered(made)

    def _stranded(self) -> list[Delivery]:
        """What is pending under this consumer. Only called with empty hands."""
        reader = (b"XREADGROUP", b"GROUP", GROUP, self.name, b"STREAMS")
        origins = ("suspects", "waiting")
        *answers, ruled = self.link.ask(
            *[(*reader, getattr(self.keys, origin), b"0") for origin in origins],
            self._rules_command(),
        )
        found = []
        for origin, answer in zip(origins, answers, strict=True):
            entries = answered(answer)[0][1] if answered(answer) else []
            found += self._admitted(origin, entries, answered(ruled))
        return found

    def _deliveries(self, origin: str, entries: list[Any]) -> list[Delivery]:
        deliveries, markers = [], []
        for entry, fields in entries:
            if fields is None or fields[0] != b"body":
                markers.append(entry)  # a wake marker, or an entry that was deleted under us
                continue
            found = self._opened(origin, entry, fields)
            if isinstance(found, Delivery):
                deliveries.append(found)
            else:
                self._broken.append(found)
        if markers:
            stream = getattr(self.keys, origin)
            self.link.ask((b"XACK", stream, GROUP, *markers), (b"XDEL", stream, *markers))
        if self._broken:
            broken, self._broken = self._broken, []
            answered(self.link.ask(self._settle_command(_token(), broken))[0])
        return deliveries

    def _opened(self, origin: str, entry: bytes, fields: list[bytes]) -> Delivery | Ended:
        """The message of a stream entry, or the end of one that can't be run."""
        body = fields[BODY]
        # Entries of other producers, or of an earlier release, may end sooner.
        crashes = int(fields[CRASHES]) if len(fields) > CRASHES else 0
        died_under = tuple(orjson.loads(fields[WORKERS])) if len(fields) > WORKERS else ()
        message = _read(body)
        if isinstance(message, Dead):
            broken = Undelivered(origin, entry, body, self.name, died_under, {})
            return died(broken, message, self.link.clock.now_ms())
        return Delivery(
            message,
            origin=origin,
            entry=entry,
            crashes=crashes,
            body=body,
            worker=self.name,
            died_under=died_under,
        )

    def _settle_command(
        self, token: str, ends: Sequence[Ended], *, takes: bool = False, again: bool = False
    ) -> Command:
        keys = self.keys
        names = (
            *(keys.waiting, keys.suspects, keys.delayed, keys.dead, keys.receipt + self.name),
            *(keys.unique, keys.rules, keys.signal, keys.counts),
        )
        arguments: list[str | bytes | int] = [GROUP, self.name, token, RECEIPT_LIFETIME]
        arguments += int(takes), int(again)
        for one in ends:
            arguments += one
        return scripts.call("settle", names, *arguments)


def _token() -> str:
    """Tells one settle of a consumer from the next. It guards nothing: the kernel's randomness took
    a twentieth of a drain's time."""
    return f"{random.getrandbits(64):x}"


def _read(body: bytes) -> Message[Any] | Dead:
    """The message in `body`, or why there is none that can be run."""
    if len(body) > MESSAGE_MAX + BOOKKEEPING:
        return _too_large(body)
    try:
        message = _decode(body)
    except DecodeError as error:
        return Dead(Reason.UNDECODABLE, {"error": said(error.error)})
    # Only what was tried before may have grown on its way.
    if len(body) > MESSAGE_MAX and not count(message.options, "deliveries"):
        return _too_large(body)
    return message


def _too_large(body: bytes) -> Dead:
    return Dead(Reason.TOO_LARGE, {"bytes": len(body), "most": MESSAGE_MAX})


def _decode(body: bytes) -> Message[Any]:
    """Raises DecodeError also for JSON that only resembles a message."""
    message: Message[Any] = Message.decode(body)
    for value, kind in (
        (message.actor_name, str),
        (message.message_id, str),
        (message.kwargs, dict),
        (message.options, dict),
    ):
        if not isinstance(value, kind):
            error = TypeError(f"{value!r} where a {kind.__name__} belongs")
            raise DecodeError("not a message", body, error)  # type: ignore[no-untyped-call]  # dramatiq's
    return message


def claim_command(keys: QueueKeys, *, crash_limit: int, worker: str) -> Command:
    """The command that takes what dead consumers of a queue held, at most 1,000 messages.

    `worker` is who decides: a dead letter names it.
    """
    names = (keys.waiting, keys.suspects, keys.dead, keys.rules, keys.signal, keys.counts)
    return scripts.call("claim", names, GROUP, keys.alive, crash_limit, 1000, worker)


def _reply_commands(deliveries: Sequence[Delivery]) -> list[Command]:
    """All replies of one list in one command."""
    places: dict[str, list[bytes]] = {}
    for delivery in deliveries:
        if delivery.reply is not None:
            place, frame = delivery.reply
            places.setdefault(place, []).append(frame)
    commands: list[Command] = []
    for place, frames in places.items():
        commands += (b"RPUSH", place, *frames), (b"PEXPIRE", place, REPLY_LIFETIME)
    return commands


def _refused_replies(commands: Sequence[Command], answers: Sequence[Any]) -> list[Command]:
    """What sends again, at maxmemory, the replies that Redis took none of."""
    return [
        scripts.call("reply", (str(command[1]),), REPLY_LIFETIME, *command[2:])
        for command, answer in zip(commands, answers, strict=False)  # the settle's comes after
        if command[0] == b"RPUSH" and isinstance(answer, ResponseError)
    ]
