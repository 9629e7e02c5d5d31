"""The `@actor` decorator: contracts from annotations, resources from the worker's root."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from actors.actor import actor
from actors.broker.broker import StreamsBroker
from actors.middleware import policies
from contracts.base import Contract, EncodedReply
from contracts.errors import ValidationFailed


class Add(Contract):
    """Two numbers."""

    one: int
    two: int = 0


class Sum(Contract):
    """Their sum."""

    total: int


class Log(list[str]):
    """A resource."""


@actor(queue="sums", max_retries=2, time_limit=timedelta(seconds=3))
def add(request: Add, log: Log) -> Sum:
    """Add and note."""
    log.append(f"{request.one}+{request.two}")
    return Sum(total=request.one + request.two)


@actor(queue="sums", read=True)
def raw(request: Add) -> EncodedReply:
    """Answer with JSON made elsewhere."""
    return EncodedReply(b'{ "as": "is" }')


@actor(
    queue="sums",
    min_backoff=timedelta(seconds=1.5),
    max_backoff=timedelta(minutes=2),
    fatal=(KeyError, OSError),
)
def stubborn(request: Add) -> None:
    """Fail in ways of its own."""


@actor(queue="sums")
def silent(request: Add) -> None:
    """Answer nothing."""


@pytest.fixture
def broker() -> StreamsBroker:
    """A broker with all three declared; it connects to nothing."""
    broker = StreamsBroker("redis://nowhere", policies())
    for operation in (add, raw, silent):
        operation.declare(broker)  # type: ignore[attr-defined]  # a list of mixed Operations
    broker.resources[Log] = Log()
    return broker


def run(broker: StreamsBroker, name: str, body: dict[str, Any]) -> bytes:
    """What a worker would get from the actor."""
    answer: bytes = broker.actors[f"test_actor.{name}"](body)
    return answer


def test_it_stays_a_function() -> None:
    """Called directly, an operation is the function that was decorated."""
    log = Log()
    assert add(Add(one=1, two=2), log) == Sum(total=3)
    assert log == ["1+2"]


def test_it_is_read_off_the_annotations() -> None:
    """Name, contract and needs come from the function, options from the decorator."""
    assert (add.name, add.queue, add.request, add.needs) == (
        *("test_actor.add", "sums", Add),
        {"log": Log},
    )
    assert add.options == {"max_retries": 2, "time_limit": 3000}
    assert not add.read


def test_reads_are_not_repeated() -> None:
    """A read has no retries unless it asks for them; a write has the policy's."""
    assert raw.read
    assert raw.options["max_retries"] == 0
    assert "max_retries" not in silent.options


def test_its_policy_is_read_off_the_decorator() -> None:
    """Pauses become milliseconds, fatal classes stay as they are; what is not named is not set."""
    assert stubborn.options == {
        "min_backoff": 1500,
        "max_backoff": 120_000,
        "fatal": (KeyError, OSError),
        "time_limit": 30_000,
    }
    assert silent.options == {"time_limit": 30_000}


def test_declared_it_validates_and_encodes(broker: StreamsBroker) -> None:
    """A declared operation takes JSON, receives its resources, and gives JSON."""
    assert orjson.loads(run(broker, "add", {"one": 1, "two": 2})) == {"total": 3}
    assert broker.resources[Log] == ["1+2"]


def test_encoded_replies_travel_untouched(broker: StreamsBroker) -> None:
    """What is already JSON is not encoded again, and nothing is null."""
    assert run(broker, "raw", {"one": 1}) == b'{ "as": "is" }'
    assert run(broker, "silent", {"one": 1}) == b"null"


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "one", "MISSING"),
        ({"one": "x"}, "one", "INT_PARSING"),
        ({"one": 1, "three": 3}, "three", "EXTRA_FORBIDDEN"),
    ],
)
def test_what_does_not_fit_is_refused(
    broker: StreamsBroker, body: dict[str, Any], field: str, code: str
) -> None:
    """A request that breaks its contract is refused, field by field, before the function runs."""
    with pytest.raises(ValidationFailed) as raised:
        run(broker, "add", body)
    (error,) = raised.value.details["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert broker.resources[Log] == []


def test_a_message_asks_for_it() -> None:
    """Its message names the actor, the queue (or another one) and carries options."""
    message = add.message(Add(one=1), queue="elsewhere", unique=True)
    assert (message.actor_name, message.queue_name) == ("test_actor.add", "elsewhere")
    assert message.options == {"unique": True}
    assert add.message({"one": 1}).queue_name == "sums"
