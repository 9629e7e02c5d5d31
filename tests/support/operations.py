"""Operations to ask for in tests."""

import threading
from datetime import timedelta

from actors.actor import actor
from actors.broker.broker import StreamsBroker
from actors.broker.encoding import REPLY_MAX
from contracts.base import Contract, EncodedReply
from contracts.errors import DuplicateEntry


class Say(Contract):
    """What to say."""

    text: str


class Ran:
    """A resource: the texts that operations were run with."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.changed = threading.Condition()

    def note(self, text: str) -> None:
        """Add one and tell who waits."""
        with self.changed:
            self.texts.append(text)
            self.changed.notify_all()

    def wait(self, count: int, timeout: float) -> bool:
        """Whether there are `count` within `timeout` seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.texts) >= count, timeout)


@actor(queue="-", read=True)
def echo(request: Say, ran: Ran) -> Say:
    """Say it back."""
    ran.note(request.text)
    return request


@actor(queue="-")
def refuse(request: Say) -> Say:
    """Raises: DuplicateEntry."""
    raise DuplicateEntry(entry_id=request.text)


@actor(queue="-", max_retries=0, time_limit=timedelta(seconds=5))
def break_down(request: Say) -> Say:
    """Raises what no caller may see."""
    raise RuntimeError(f"secret: {request.text}")


@actor(queue="-", read=True)
def shout(request: Say) -> EncodedReply:
    """Answer with more than a reply holds."""
    return EncodedReply(b'"' + b"!" * REPLY_MAX + b'"')


def declare(broker: StreamsBroker, queue: str) -> Ran:
    """Declare them all on `queue`; what they ran is returned."""
    for operation in (echo, refuse, break_down, shout):
        operation.declare(broker, queue)  # type: ignore[attr-defined]  # a list of mixed Operations
    broker.resources[Ran] = ran = Ran()
    return ran
