"""What operators see of queues, and how they rule them: pauses and limits.

All of it is Redis's own: it works while no worker lives and PostgreSQL is away. Every function
raises QueueUnavailable when Redis can't be reached, and dramatiq.QueueNotFound.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from actors.broker import scripts
from actors.broker.broker import StreamsBroker
from actors.broker.keys import GROUP, QueueKeys
from actors.broker.link import answered
from contracts.queues import LimitQueue, Pause, QueueCounts, QueueState

#: What must hold for a rule to be taken: nothing waits or is in hand; nothing is delayed either.
Condition = Literal["", "drained", "empty"]


def states(broker: StreamsBroker, names: Sequence[str]) -> list[QueueState]:
    """The queues of these names, each as of one moment, asked for in one write."""
    queues = [broker.keys(name) for name in names]
    answers = broker.link.ask(*[_state_command(keys) for keys in queues]) if queues else []
    return [
        _state(keys.queue, answered(answer)) for keys, answer in zip(queues, answers, strict=True)
    ]


def state(broker: StreamsBroker, name: str) -> QueueState:
    """One queue, as of one moment."""
    return states(broker, [name])[0]


def with_rates(earlier: QueueState, later: QueueState) -> QueueState:
    """`later` with its rates, from two samples of the same queue."""
    seconds = (later.at - earlier.at).total_seconds()
    if seconds <= 0:
        return later  # Redis's clock was set back between them
    left = _left(later) - _left(earlier)
    came = left + later.unfinished + later.delayed - earlier.unfinished - earlier.delayed
    rates = {"rate_out": max(0.0, left / seconds), "rate_in": max(0.0, came / seconds)}
    return later.model_copy(update=rates)


def pause(
    broker: StreamsBroker, name: str, *, by: str, reason: str = "", condition: Condition = ""
) -> bool:
    """Hand out no more messages of a queue; whether `condition` held, and it is paused.

    When this returns no message begins any more, but for those that a reader had taken together:
    of these the ones that begin within 2 ms (actors.broker.worker.GATHER). What runs goes on.
    """
    broker.link.connect()
    at = datetime.fromtimestamp(broker.link.clock.now_ms() / 1000, UTC)
    ruling = Pause(by=by, at=at, reason=reason)
    return _rule(broker, name, "paused", ruling.model_dump_json(), by, condition)


def resume(broker: StreamsBroker, name: str, *, by: str) -> None:
    """Hand out messages again; readers that wait for it go on at once."""
    _rule(broker, name, "paused", "", by)


def limit(broker: StreamsBroker, name: str, most: int | None, *, by: str) -> None:
    """Let at most `most` messages be in hand at once, over all workers; None: any number.

    A lower limit ends nothing that is in hand. Raises: ValueError.
    """
    ruling = LimitQueue(limit=most)
    _rule(broker, name, "limit", "" if ruling.limit is None else f"{ruling.limit}", by)


def drained(broker: StreamsBroker, name: str, *, delayed: bool = False) -> bool:
    """Whether nothing waits, is in hand or suspect; with `delayed`, nothing is delayed either."""
    now = state(broker, name)
    return now.unfinished == 0 and not (delayed and now.delayed)


def _rule(
    broker: StreamsBroker, name: str, field: str, value: str, by: str, condition: Condition = ""
) -> bool:
    keys = broker.keys(name)
    names = (keys.rules, keys.signal, keys.waiting, keys.suspects, keys.delayed)
    return bool(broker.link.ask_one(scripts.call("rule", names, field, value, by, condition)))


def _state_command(keys: QueueKeys) -> tuple[scripts.Argument, ...]:
    names = (keys.waiting, keys.suspects, keys.delayed, keys.dead, keys.rules, keys.counts)
    return scripts.call("state", names, GROUP, keys.alive)


def _state(name: str, answer: list[Any]) -> QueueState:
    (seconds, micros), waiting, in_waiting, suspects, in_suspects, *rest = answer
    delayed, dead, oldest, due, consumers, paused, limit, counts = rest
    now = int(seconds) + int(micros) / 1e6
    return QueueState(
        name=name,
        at=datetime.fromtimestamp(now, UTC),
        # What was dropped from under a worker is in its hands, and no more in the stream.
        waiting=max(0, waiting - in_waiting),
        in_flight=in_waiting + in_suspects,
        delayed=delayed,
        suspects=max(0, suspects - in_suspects),
        dead=dead,
        oldest_seconds=None if oldest < 0 else max(0.0, round(now - oldest / 1000, 3)),
        next_due_seconds=None if due < 0 else max(0.0, round(due / 1000 - now, 3)),
        consumers=consumers,
        limit=int(limit) if limit else None,
        paused=Pause.model_validate(orjson.loads(paused)) if paused else None,
        counts=QueueCounts(**_counts(counts)),
    )


def _counts(pairs: list[bytes]) -> dict[str, int]:
    return {k.decode(): int(v) for k, v in zip(pairs[::2], pairs[1::2], strict=True)}


def _left(queue: QueueState) -> int:
    return queue.counts.done + queue.counts.dead
