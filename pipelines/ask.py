"""One question, one reply: the way every caller reaches an operation."""

from typing import Any, TypeVar

from pydantic import BaseModel

from actors.actor import Operation
from actors.broker.client import Client
from contracts.base import Contract

M = TypeVar("M", bound=Contract)


async def ask(
    client: Client,
    operation: Operation[Any, Any],
    request: BaseModel,
    *,
    timeout: float,
    queue: str | None = None,
    early: bool = False,
) -> bytes:
    """The JSON of the operation's reply, within `timeout` seconds.

    With `early`, a write that waits for PostgreSQL raises WriteWaiting as soon as that is clear.
    Raises: what the operation answers with, and what `Client.call` raises.
    """
    message = operation.message(request, queue=queue)
    return await client.call(message, timeout=timeout, deadline=operation.read, early=early)


async def ask_for(
    reply: type[M],
    client: Client,
    operation: Operation[Any, Any],
    request: BaseModel,
    *,
    timeout: float,
    queue: str | None = None,
) -> M:
    """As `ask`, with the reply read into its contract."""
    answer = await ask(client, operation, request, timeout=timeout, queue=queue)
    return reply.from_reply(answer)
