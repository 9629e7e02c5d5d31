"""Replay: dead letters back into their queues, as a task that can be watched and stopped."""

import time
from typing import Any

from psycopg.types.json import Jsonb

from actors import letters, tracking
from actors.actor import Operations, actor
from actors.broker.broker import StreamsBroker
from actors.broker.encoding import MESSAGE_MAX
from actors.dead_letters import audit, where
from actors.tracking import Tracked
from contracts.base import new_id
from contracts.dead_letters import (
    LettersMoved,
    MoveLetters,
    ReplayDeadLetters,
    ReplayPlan,
    ReplayStarted,
)
from contracts.errors import NotFinished, QueueFull
from contracts.tasks import Member, Step
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction

BATCH = 500  # letters a transaction, at most
BATCH_BYTES = 16 * 1024 * 1024  # of letters in memory; a single one may be larger
SIZE_MAX = MESSAGE_MAX - 512  # bytes of a letter: a replay adds where it comes from
TURN = 1.0  # seconds that a replay works before others on its queue have their turn
FULL = 5_000  # ms until it is tried again when Redis takes no messages


@actor(queue="operators", read=True)
def plan(request: ReplayDeadLetters, store: Store, operations: Operations) -> ReplayPlan:
    """What `start` would move and refuse; nothing is changed."""
    names, parameters = _where(request, operations)
    with store.transaction() as tx:
        row = tx.row("dead_letters.count_replayable", names, **parameters)
        assert row is not None
        return ReplayPlan(count=row["count"], refused=_refused(tx, names, parameters))


@actor(queue="operators")
def start(
    command: ReplayDeadLetters, store: Store, operations: Operations, broker: StreamsBroker
) -> ReplayStarted:
    """Freeze the selection and begin to move it. What can't be replayed stays dead, counted."""
    names, parameters = _where(command, operations)

    def effect(tx: Transaction) -> ReplayStarted:
        task_id = new_id()
        tracking.open_task(tx, task_id, "replay", command.by, total=0)
        count = tx.run("dead_letters.select_for_replay", names, task_id=task_id, **parameters)
        refused = _refused(tx, names, parameters)
        asked = command.model_dump(mode="json", exclude={"key", "by"}, exclude_defaults=True)
        tx.run("tasks.describe", id=task_id, details=Jsonb(asked | {"refused": refused}))
        tx.run("tasks.progress", id=task_id, done=0, total=count)
        audit(tx, command.by, "dead_letters.replay", str(task_id), asked | {"count": count})
        request = MoveLetters(task=task_id, rate=command.rate, by=command.by)
        member = Member(actor=move.name, request=request.model_dump(mode="json"))
        tracking.add_steps(tx, task_id, [Step(name="move", members=(member,))])
        tracking.advance(tx, task_id)
        return ReplayStarted(task=task_id, count=count, refused=refused)

    started = once(store, "replay.start", command, ReplayStarted, effect)
    tracking.send_due(store, broker, started.task)
    return started


@actor(queue="upkeep")
def move(
    command: MoveLetters, store: Store, broker: StreamsBroker, tracked: Tracked
) -> LettersMoved:
    """Move letters for one turn, then ask for another until all are moved.

    Killed between a letter's row and its queue, it finds the letter half-way in its next turn and
    sends it again under its token: the letter is in its queue once. Raises: NotFinished,
    TaskCanceled.
    """
    until = time.monotonic() + TURN
    while True:
        tracked.check()
        more = _move(command, store, broker)
        if not more:
            return _moved(command, store)
        if command.rate is not None:
            raise NotFinished(delay=int(1000 * _batch(command) / command.rate))
        if time.monotonic() > until:
            raise NotFinished()


def _move(command: MoveLetters, store: Store, broker: StreamsBroker) -> bool:
    """Move one batch; whether there may be more.

    Its message may be delivered twice at once: each takes the next letters, and marks as replayed
    only what it has sent itself.
    """
    with store.transaction() as tx:
        more, rows = _take(command, tx)
    try:
        broker.enqueue_many([_again(command, broker, row) for row in rows])
    except QueueFull:
        raise NotFinished(delay=FULL) from None  # an attempt would be lost on it
    with store.transaction() as tx:
        sent = [row["id"] for row in rows]
        count = tx.run("dead_letters.replayed", task_id=command.task, ids=sent)
        tx.run("tasks.add_done", id=command.task, count=count)
    return more


def _take(command: MoveLetters, tx: Transaction) -> tuple[bool, list[Row]]:
    """The next letters, those half-way among them; whether there may be more after them."""
    tx.row("tasks.lock", id=command.task)  # of two turns at once, none takes the end for the other
    limits = {"limit": _batch(command), "bytes": BATCH_BYTES}
    taken = tx.row("dead_letters.take", task_id=command.task, by=command.by, **limits)
    assert taken is not None
    return bool(taken["batch"]), tx.rows("dead_letters.replaying", task_id=command.task)


def _again(command: MoveLetters, broker: StreamsBroker, row: Row) -> tracking.Due:
    queue = row["queue"]
    if row["actor"] in broker.actors and "@" not in queue:  # a node's queue stays that node's
        queue = broker.get_actor(row["actor"]).queue_name
    broker.declare_queue(queue)
    return letters.replayed(row, queue), f"replay:{row['id']}:{command.task}"


def _moved(command: MoveLetters, store: Store) -> LettersMoved:
    with store.transaction() as tx:
        row = tx.row("dead_letters.moved", task_id=command.task)
    assert row is not None
    return LettersMoved(moved=row["done"], taken_meanwhile=row["total"] - row["done"])


def _batch(command: MoveLetters) -> int:
    """Letters a transaction: half a second of the rate that was asked for."""
    return BATCH if command.rate is None else min(BATCH, max(1, int(command.rate / 2)))


def _where(
    request: ReplayDeadLetters, operations: Operations
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """As `where`, with what decides whether a letter can be replayed."""
    names, parameters = where(request)
    return names, parameters | {"actors": list(operations), "size_max": SIZE_MAX}


def _refused(tx: Transaction, names: tuple[str, ...], parameters: Row) -> dict[str, int]:
    rows = tx.rows("dead_letters.refused", names, **parameters)
    return {row["why"]: row["count"] for row in rows}
