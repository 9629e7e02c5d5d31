"""Looking at queues and ruling them, straight in Redis (docs/decisions/0006-queue-control.md).

Each function raises QueueUnknown for a name that is no queue here, and QueueUnavailable.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from actors.broker import queues
from actors.broker.broker import StreamsBroker
from contracts.errors import QueueNotDrained, QueueUnknown
from contracts.queues import QueueState, QueueStates

BETWEEN_SAMPLES = 1.0  # seconds
LOOK = 0.05, 1.0  # seconds: first and longest pause between two looks at a queue that drains


async def look(broker: StreamsBroker, *, rates: bool) -> QueueStates:
    """Every queue, by name; for rates, after a second sample."""
    names = await asyncio.to_thread(broker.all_queues)
    states = await asyncio.to_thread(queues.states, broker, names)
    if rates:
        await asyncio.sleep(BETWEEN_SAMPLES)
        again = await asyncio.to_thread(queues.states, broker, names)
        states = [queues.with_rates(*pair) for pair in zip(states, again, strict=True)]
    return QueueStates(queues=tuple(states))


async def look_at(broker: StreamsBroker, name: str, *, rates: bool = False) -> QueueState:
    """One queue; for rates, after a second sample."""
    await _check(broker, name)
    state = await asyncio.to_thread(queues.state, broker, name)
    if not rates:
        return state
    await asyncio.sleep(BETWEEN_SAMPLES)
    return queues.with_rates(state, await asyncio.to_thread(queues.state, broker, name))


async def pause(broker: StreamsBroker, name: str, *, by: str, reason: str = "") -> QueueState:
    """Let no further message of a queue begin; what runs goes on."""
    await _check(broker, name)
    await asyncio.to_thread(partial(queues.pause, broker, name, by=by, reason=reason))
    return await look_at(broker, name)


async def resume(broker: StreamsBroker, name: str, *, by: str) -> QueueState:
    """Let messages begin again; a queue that was not paused stays as it is."""
    await _check(broker, name)
    await asyncio.to_thread(partial(queues.resume, broker, name, by=by))
    return await look_at(broker, name)


async def limit(broker: StreamsBroker, name: str, most: int | None, *, by: str) -> QueueState:
    """Let at most `most` messages be in hand at once; None: any number."""
    await _check(broker, name)
    await asyncio.to_thread(partial(queues.limit, broker, name, most, by=by))
    return await look_at(broker, name)


async def drain(
    broker: StreamsBroker,
    name: str,
    *,
    by: str,
    timeout: float,
    delayed: bool = False,
    then_pause: bool = False,
    seen: Callable[[QueueState], None] = lambda state: None,
) -> QueueState:
    """Wait until no message of a queue waits or is in hand (with `delayed`: or is delayed).

    Nothing is done to hasten it: producers may go on. With `then_pause` the queue is paused in
    the same step in which it is found empty. `seen` is told of each look at it. Raises
    QueueNotDrained after `timeout` seconds.
    """
    await _check(broker, name)
    end = asyncio.get_running_loop().time() + timeout
    wait = LOOK[0]
    while True:
        state = await look_at(broker, name)
        seen(state)
        messages = state.unfinished + (state.delayed if delayed else 0)
        if not messages:
            if not then_pause:
                return state
            if await _pause_if_empty(broker, name, by, delayed=delayed):
                return await look_at(broker, name)
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            raise QueueNotDrained(
                f"After {timeout:g} s {messages} messages of {name} were left.",
                queue=state.model_dump(mode="json"),
            )
        await asyncio.sleep(min(wait, left))
        wait = min(2 * wait, LOOK[1])


async def _pause_if_empty(broker: StreamsBroker, name: str, by: str, *, delayed: bool) -> bool:
    condition: queues.Condition = "empty" if delayed else "drained"
    return await asyncio.to_thread(
        partial(queues.pause, broker, name, by=by, reason="drained", condition=condition)
    )


async def _check(broker: StreamsBroker, name: str) -> None:
    known = await asyncio.to_thread(broker.all_queues)
    if name not in known:
        raise QueueUnknown(
            f"There is no queue {name!r} here. There are: {', '.join(known)}.", queues=known
        )
