"""What can be found out about a running system, one thing at a time.

Each check is a function `(Asked) -> Check | None`, None where there is nothing to look at. It may
raise CasebookError: whoever runs it notes the error's code, which means that the thing could not be
asked at all.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from actors import index, system
from actors.broker import queues as rooms
from actors.broker.client import Client
from actors.metrics import gather
from actors.startup import READY
from actors.startup import processes as started
from contracts.base import Nothing
from contracts.errors import QueueUnavailable
from contracts.health import Check
from contracts.search import IndexStatus
from contracts.system import AskDatabase, DatabaseStatus
from pipelines.ask import ask_for

PATIENCE = 3.0  # seconds: longer than a worker needs to find that the database is away
BEHIND = 30.0  # seconds that the index may be behind until the system counts as degraded
HELD = 60.0  # seconds that a transaction may hold the change feed back


@dataclass(frozen=True)
class Asked:
    """Who asks, and how thoroughly."""

    client: Client
    #: Where the processes of this node tell where they can be asked for their circuits.
    data: Path
    #: Entries are counted now, and not as of the last roll-up.
    count: bool = False


async def redis(asked: Asked) -> Check:
    """Whether messages can be sent."""
    if not asked.client.connected:
        raise QueueUnavailable()
    return Check(ok=True)


async def database(asked: Asked) -> Check:
    """PostgreSQL as a worker sees it."""
    request = AskDatabase(count=asked.count)
    found = await ask_for(DatabaseStatus, asked.client, system.database, request, timeout=PATIENCE)
    reasons = []
    if found.feed_held_seconds > HELD:
        held = f"a transaction of {found.feed_held_seconds:.0f} s holds the change feed back"
        reasons.append(held)
    if found.missing_migrations:
        reasons.append(f"not migrated: {', '.join(found.missing_migrations)}")
    return _found(reasons, found)


async def index_(asked: Asked) -> Check:
    """The index of whichever worker answers."""
    found = await ask_for(IndexStatus, asked.client, index.status, Nothing(), timeout=PATIENCE)
    reasons = []
    if found.behind_seconds > BEHIND:
        reasons.append(f"it is {found.behind} changes, {found.behind_seconds:.0f} s behind")
    return _found(reasons, found)


async def queues(asked: Asked) -> Check:
    """Queues with anything in them; wrong are those that nobody reads."""
    broker = asked.client.broker
    names = await asyncio.to_thread(broker.all_queues)
    facts: dict[str, Any] = {}
    reasons = []
    for one in await asyncio.to_thread(rooms.states, broker, names):
        if one.unfinished or one.delayed or one.dead:
            facts[one.name] = {
                "unfinished": one.unfinished,
                "delayed": one.delayed,
                "dead": one.dead,
                "oldest_seconds": one.oldest_seconds,
            }
        if one.paused is not None:
            reasons.append(f"{one.name} is paused by {one.paused.by}")
        elif one.consumers == 0 and one.unfinished:
            reasons.append(f"nobody reads {one.name}")
    return _found(reasons, facts)


async def circuits(asked: Asked) -> Check:
    """What the processes of this node leave alone, because it failed again and again."""
    found = await asyncio.to_thread(gather.circuits, asked.data)
    facts: dict[str, Any] = {}
    for one in found:
        facts.setdefault(one.process, {})[one.name] = one.state
    given_up = [f"{one.process} leaves {one.name} alone" for one in found if one.state == "open"]
    return _found(given_up, facts)


async def processes(asked: Asked) -> Check:
    """In which phase of its start each process is."""
    states = await asyncio.to_thread(started, asked.client.broker.link)
    reasons = [
        f"{one.name} of {one.node} starts, {one.phase} is not over: {one.reason}"
        for one in states
        if one.phase != READY
    ]
    facts = {f"{one.node}/{one.name}": {"phase": one.phase, "ms": one.ms} for one in states}
    return _found(reasons, facts)


async def load(asked: Asked) -> Check | None:
    """Whether this process refuses requests; never a reason to send them elsewhere."""
    if asked.client.admission is None:  # it never does
        return None
    loads = asked.client.admission.loads()
    reasons = [
        f"{name} is asked for more than it answers: {load.refused_lately:.0f} refused lately"
        for name, load in loads.items()
        if load.refused_lately >= 1
    ]
    facts = {
        name: {
            "limit": load.limit,
            "in_flight": load.in_flight,
            "delay_ms": round(load.delay * 1000),
            "refused_lately": round(load.refused_lately),
        }
        for name, load in loads.items()
    }
    return _found(reasons, facts)


def _found(reasons: list[str], facts: dict[str, Any] | BaseModel) -> Check:
    if isinstance(facts, BaseModel):
        facts = facts.model_dump(mode="json")
    return Check(ok=not reasons, reason="; ".join(reasons) or None, facts=facts)
