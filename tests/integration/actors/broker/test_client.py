"""The asking side: a reply, a typed error, or a typed reason why there is none."""

import asyncio
import gc
import json
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest
from redis import Redis

from actors.broker import client as client_module
from actors.broker.broker import StreamsBroker
from actors.broker.client import Client
from actors.broker.encoding import MESSAGE_MAX
from actors.broker.keys import QueueKeys
from actors.broker.replies import encode_reply
from actors.broker.worker import Worker
from actors.middleware import policies
from contracts.errors import (
    CasebookError,
    DuplicateEntry,
    MessageTooLarge,
    NoReply,
    QueueUnavailable,
    ReplyTooLarge,
    ValidationFailed,
)
from tests.support.operations import Ran, Say, break_down, declare, echo, refuse, shout
from tests.support.proxy import Proxy
from tests.support.waiting import SOON, run

Work = Callable[..., Worker]
Ask = Callable[..., Coroutine[Any, Any, bytes]]


@pytest.fixture
def ran(broker: StreamsBroker, queue_name: str) -> Ran:
    """The operations, declared; what they were run with."""
    return declare(broker, queue_name)


@pytest.fixture
def ask(queue_name: str, ran: Ran) -> Ask:
    """Calls an operation on the test's queue."""

    async def ask(
        client: Client,
        operation: Any,
        text: Any = "hello",
        *,
        timeout: float = SOON,
        deadline: bool = False,
    ) -> bytes:
        message = operation.message({"text": text}, queue=queue_name)
        return await client.call(message, timeout=timeout, deadline=deadline)

    return ask


def test_a_call_is_answered(broker: StreamsBroker, work: Work, ask: Ask) -> None:
    """The reply of an operation comes back as its JSON, also to many callers at once."""
    work(threads=2, prefetch=8)

    async def scenario() -> list[bytes]:
        async with Client(broker) as client:
            return await asyncio.gather(*(ask(client, echo, f"é{n}") for n in range(100)))

    replies = run(scenario())
    assert [Say.model_validate_json(reply).text for reply in replies] == [
        f"é{n}" for n in range(100)
    ]


@pytest.mark.parametrize(
    ("operation", "text", "error", "details"),
    [
        (refuse, "e1", DuplicateEntry, {"entry_id": "e1"}),
        (shout, "", ReplyTooLarge, {"bytes": 4 * 1024 * 1024 + 2}),
        (
            *(echo, 5, ValidationFailed),
            {
                "errors": [
                    {
                        "field": "text",
                        "code": "STRING_TYPE",
                        "message": "Input should be a valid string",
                    }
                ]
            },
        ),
    ],
    ids=["refused", "reply too large", "invalid"],
)
def test_errors_arrive_typed(
    broker: StreamsBroker,
    work: Work,
    ask: Ask,
    operation: Any,
    text: Any,
    error: type[CasebookError],
    details: dict[str, Any],
) -> None:
    """The error that a worker answers with is raised as its own class, with its details."""
    work()

    async def scenario() -> None:
        async with Client(broker) as client:
            await ask(client, operation, text)

    with pytest.raises(error) as raised:
        run(scenario())
    assert raised.value.details == details


def test_an_unexpected_error_says_nothing(broker: StreamsBroker, work: Work, ask: Ask) -> None:
    """A caller learns of a bug only the id under which the log holds it."""
    work()

    async def scenario() -> None:
        async with Client(broker) as client:
            await ask(client, break_down, "word")

    with pytest.raises(CasebookError) as raised:
        run(scenario())
    assert type(raised.value) is CasebookError
    assert set(raised.value.details) == {"operation_id"}
    assert "secret" not in str(raised.value)


def test_no_reply_in_time_is_typed(broker: StreamsBroker, ask: Ask) -> None:
    """Without a worker a call ends with NoReply when its time is over, and not before."""

    async def scenario() -> float:
        async with Client(broker) as client:
            began = time.monotonic()
            with pytest.raises(NoReply):
                await ask(client, echo, timeout=0.2)
            return time.monotonic() - began

    assert 0.19 <= run(scenario()) < SOON


def test_a_read_past_its_deadline_is_dropped(
    broker: StreamsBroker, work: Work, ask: Ask, ran: Ran, queue_name: str
) -> None:
    """A worker drops a read whose caller has gone; a write is done however late."""

    async def scenario() -> None:
        async with Client(broker) as client:
            for text, deadline in (("read", True), ("write", False)):
                with pytest.raises(NoReply):
                    await ask(client, echo, text, timeout=0.05, deadline=deadline)
            await asyncio.to_thread(work)
            await ask(client, echo, "behind")

    run(scenario())
    assert ran.texts == ["write", "behind"]


def test_a_message_too_large_is_refused(broker: StreamsBroker, ask: Ask) -> None:
    """A request over 1 MiB is refused before it is sent, and the client stays usable."""

    async def scenario() -> None:
        async with Client(broker) as client:
            with pytest.raises(MessageTooLarge):
                await ask(client, echo, "x" * MESSAGE_MAX)
            with pytest.raises(NoReply):
                await ask(client, echo, timeout=0.01)

    run(scenario())


def test_redis_gone_is_typed_at_once(
    proxy: Proxy,
    redis: Redis,
    keys: QueueKeys,
    work: Work,
    ask: Ask,
    ran: Ran,
    queue_name: str,
) -> None:
    """When Redis goes, waiting and new calls fail at once; when it's back, calls work again."""
    remote = StreamsBroker(proxy.url)
    remote.declare_queue(queue_name)

    async def scenario() -> bytes:
        async with Client(remote) as client:
            waiting = asyncio.create_task(ask(client, echo, "before"))
            await asyncio.to_thread(redis.xread, {keys.waiting: 0}, block=int(SOON * 1000))
            proxy.down()
            with pytest.raises(QueueUnavailable):
                await asyncio.wait_for(waiting, SOON / 2)
            assert not client.connected
            with pytest.raises(QueueUnavailable):
                await ask(client, echo, "while away")
            proxy.up()
            async with asyncio.timeout(SOON):
                while not client.connected:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(work)
            return await ask(client, echo, "after")

    assert orjson.loads(run(scenario())) == {"text": "after"}
    assert "while away" not in ran.texts


def test_a_vanished_server_is_noticed(
    proxy: Proxy, work: Work, ask: Ask, queue_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections through which nothing comes, and that nobody ends, are given up for new ones."""
    monkeypatch.setattr(client_module, "LISTEN", 1)
    monkeypatch.setattr(client_module, "SILENCE", 0.5)
    remote = StreamsBroker(proxy.url)
    remote.declare_queue(queue_name)
    work()

    async def scenario() -> bytes:
        async with Client(remote) as client:
            await ask(client, echo, "before")
            proxy.swallow()
            with pytest.raises(QueueUnavailable):
                await ask(client, echo, "into the void")
            async with asyncio.timeout(SOON):
                while not client.connected:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.01)
            return await ask(client, echo, "after")

    assert orjson.loads(run(scenario())) == {"text": "after"}


def test_a_client_that_ends_while_redis_is_away_leaves_nothing(
    proxy: Proxy, queue_name: str
) -> None:
    """Leaving a client whose connection is gone neither waits nor fails."""
    remote = StreamsBroker(proxy.url)

    async def scenario() -> None:
        async with asyncio.timeout(SOON), Client(remote) as client:
            proxy.down()
            while client.connected:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)

    run(scenario())


def test_a_client_that_asks_nothing_leaves_nothing(redis_url: str) -> None:
    """Its connections are closed although it never had to wait for anything."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # what others have left is not this client's

    async def scenario() -> None:
        async with Client(StreamsBroker(redis_url)):
            pass

    run(scenario())
    gc.collect()  # a connection that is open would warn here, and warnings are errors


def test_an_absent_server_is_typed() -> None:
    """Entering a client without a server raises QueueUnavailable."""

    async def scenario() -> None:
        async with Client(StreamsBroker("unix:///nowhere/valkey.sock")):
            pass

    with pytest.raises(QueueUnavailable):
        run(scenario())


def test_doubled_and_foreign_replies_are_ignored(
    broker: StreamsBroker, redis: Redis, keys: QueueKeys, ask: Ask
) -> None:
    """A reply that comes twice, one to nobody and bytes that are none disturb no other call."""

    def answer(last: bytes) -> bytes:
        found: Any = redis.xread({keys.waiting: last}, block=int(SOON * 1000))
        ((entry, fields),) = found[0][1]
        asked = json.loads(fields[b"body"])
        frame = encode_reply(asked["message_id"], json.dumps(asked["args"][0]["text"]).encode())
        odd = (b"junk", b"", encode_reply("nobody", b"1"))
        redis.rpush(asked["options"]["reply_to"], *odd, frame, frame)
        return bytes(entry)

    async def scenario() -> list[bytes]:
        async with Client(broker) as client:
            first = asyncio.create_task(ask(client, echo, "first"))
            last = await asyncio.to_thread(answer, b"0")
            replies = [await first]
            second = asyncio.create_task(ask(client, echo, "second"))
            await asyncio.to_thread(answer, last)
            return [*replies, await second]

    assert run(scenario()) == [b'"first"', b'"second"']


def test_sending_expects_no_reply(
    broker: StreamsBroker, work: Work, ran: Ran, queue_name: str
) -> None:
    """A message that is sent rather than called runs, and carries no place for a reply."""
    work()

    async def scenario() -> None:
        async with Client(broker) as client:
            await client.send(echo.message({"text": "sent"}, queue=queue_name))

    run(scenario())
    assert ran.wait(1, SOON)


def test_middleware_need_not_be_the_workers(redis_url: str) -> None:
    """A producer's broker needs none of the worker's policies."""
    assert (
        StreamsBroker(redis_url).actor_options < StreamsBroker(redis_url, policies()).actor_options
    )
