"""How the system is, as whoever asks it finds out: each dependency, its time and its numbers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from actors import index, system
from actors.broker import queues
from actors.broker.admission import Admission
from actors.broker.client import Client
from actors.metrics import gather
from actors.startup import READY, processes
from contracts.base import Nothing
from contracts.errors import CasebookError, QueueUnavailable
from contracts.health import Check, Health
from contracts.search import IndexStatus
from contracts.system import AskDatabase, DatabaseStatus
from pipelines.ask import ask_for

PATIENCE = 3.0  # seconds: longer than a worker needs to find that the database is away
BEHIND = 30.0  # seconds that the index may be behind until the system counts as degraded
HELD = 60.0  # seconds that a transaction may hold the change feed back

#: Without these no request is answered; without `queues`, some wait.
REQUIRED = ("redis", "database", "index")


async def look(client: Client, data: Path, *, count: bool = False) -> Health:
    """Every check, side by side; with `count`, entries are counted and not remembered.

    `data` is where the processes of this node tell where they can be asked for their circuits.
    """
    names = (*REQUIRED, "queues", "circuits", "processes")
    found = await asyncio.gather(
        _check(lambda: _redis(client)),
        _check(lambda: _database(client, count)),
        _check(lambda: _index(client)),
        _check(lambda: _queues(client)),
        _check(lambda: _circuits(data)),
        _check(lambda: _processes(client)),
    )
    checks = dict(zip(names, found, strict=True))
    if client.admission is not None:
        checks["load"] = _load(client.admission)
    if any(not checks[name].ok and checks[name].code for name in REQUIRED):
        return Health(status="not ready", checks=checks)
    well = all(check.ok for check in checks.values())
    return Health(status="ready" if well else "degraded", checks=checks)


async def _check(look: Callable[[], Awaitable[Check]]) -> Check:
    start = time.perf_counter()
    try:
        found = await look()
    except CasebookError as error:
        found = Check(ok=False, code=error.code, reason=error.message)
    return found.model_copy(update={"ms": round((time.perf_counter() - start) * 1000, 1)})


async def _redis(client: Client) -> Check:
    if not client.connected:
        raise QueueUnavailable()
    return Check(ok=True)


async def _database(client: Client, count: bool) -> Check:
    found = await ask_for(
        DatabaseStatus, client, system.database, AskDatabase(count=count), timeout=PATIENCE
    )
    reasons = []
    if found.feed_held_seconds > HELD:
        held = f"a transaction of {found.feed_held_seconds:.0f} s holds the change feed back"
        reasons.append(held)
    if found.missing_migrations:
        reasons.append(f"not migrated: {', '.join(found.missing_migrations)}")
    return _found(found, reasons)


async def _index(client: Client) -> Check:
    found = await ask_for(IndexStatus, client, index.status, Nothing(), timeout=PATIENCE)
    reasons = []
    if found.behind_seconds > BEHIND:
        reasons.append(f"it is {found.behind} changes, {found.behind_seconds:.0f} s behind")
    return _found(found, reasons)


async def _queues(client: Client) -> Check:
    broker = client.broker
    names = await asyncio.to_thread(broker.all_queues)
    states = await asyncio.to_thread(queues.states, broker, names)
    facts: dict[str, Any] = {}
    reasons = []
    for one in states:
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
    return Check(ok=not reasons, reason="; ".join(reasons) or None, facts=facts)


async def _circuits(data: Path) -> Check:
    found = await asyncio.to_thread(gather.circuits, data)
    facts: dict[str, Any] = {}
    for one in found:
        facts.setdefault(one.process, {})[one.name] = one.state
    given_up = [f"{one.process} leaves {one.name} alone" for one in found if one.state == "open"]
    return Check(ok=not given_up, reason="; ".join(given_up) or None, facts=facts)


def _load(admission: Admission) -> Check:
    """Whether this process refuses requests; never a reason to send them elsewhere."""
    loads = admission.loads()
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
    return Check(ok=not reasons, reason="; ".join(reasons) or None, facts=facts)


async def _processes(client: Client) -> Check:
    """Worker processes, and in which phase of their start those are that have not ended it."""
    states = await asyncio.to_thread(lambda: processes(client.broker.link))
    reasons = [
        f"{one.name} of {one.node} starts, {one.phase} is not over: {one.reason}"
        for one in states
        if one.phase != READY
    ]
    facts = {f"{one.node}/{one.name}": {"phase": one.phase, "ms": one.ms} for one in states}
    return Check(ok=not reasons, reason="; ".join(reasons) or None, facts=facts)


def _found(status: BaseModel, reasons: list[str]) -> Check:
    facts = status.model_dump(mode="json")
    return Check(ok=not reasons, reason="; ".join(reasons) or None, facts=facts)
