"""What earlier releases sent may still wait in a queue, or lie among the dead letters."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import dramatiq
import pytest

from actors.broker.encoding import ContractEncoder
from tests.support.messages import OPERATIONS

RECORDED = Path(__file__).parents[2] / "data" / "messages"
BY_NAME = {operation.name: operation for operation in OPERATIONS}

Message = dramatiq.Message[Any]


def recorded(file: Path) -> list[Message]:
    """The messages of one release, decoded as from the wire."""
    decode = ContractEncoder().decode
    return [Message(**decode(line)) for line in file.read_bytes().splitlines()]


EVERY = [
    pytest.param(message, id=f"{file.stem}-{message.actor_name}")
    for file in sorted(RECORDED.glob("*.ndjson"))
    for message in recorded(file)
]


def holds(now: Any, then: Any) -> bool:
    """Whether all that was said then is still there."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(
            key in now and holds(now[key], value) for key, value in then.items()
        )
    return bool(now == then)


@pytest.mark.parametrize("message", EVERY)
def test_a_message_of_an_earlier_release_is_understood(message: Message) -> None:
    """Its actor is here, on its queue, takes the request, and loses nothing of it."""
    operation = BY_NAME[message.actor_name]
    assert message.queue_name.partition("@")[0] == operation.queue
    (request,) = message.args
    assert holds(operation.request_in(request).model_dump(mode="json"), request)


def test_every_actor_of_this_release_is_recorded() -> None:
    """`python -m tests.support.messages > tests/data/messages/RELEASE.ndjson` does it."""
    names = [message.actor_name for message in recorded(RECORDED / f"{version('casebook')}.ndjson")]
    assert names == sorted(BY_NAME)
