"""How the system is: one list of checks for /readyz, `casebook status` and `casebook doctor`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from actors.broker.client import Client
from contracts.errors import CasebookError
from contracts.health import Check, Health
from pipelines import checks
from pipelines.checks import Asked


class Checked(NamedTuple):
    """A check by its name, and what to do where it finds something."""

    name: str
    look: Callable[[Asked], Awaitable[Check | None]]
    remedy: str
    #: Without it no request is answered.
    required: bool = False


CHECKS = (
    Checked(
        "redis",
        checks.redis,
        "Is it running? See logs/valkey.log in the data folder, or CASEBOOK_REDIS_URL.",
        required=True,
    ),
    Checked(
        "database",
        checks.database,
        "See logs/postgres.log in the data folder; `casebook migrate` brings the schema to this "
        "release; a long transaction is ended with pg_terminate_backend (pg_stat_activity).",
        required=True,
    ),
    Checked(
        "index",
        checks.index_,
        "Is the indexer running? `casebook queues`, logs/indexer.log; `casebook reindex` builds it "
        "anew.",
        required=True,
    ),
    Checked(
        "queues",
        checks.queues,
        "`casebook queues resume NAME`, or start the workers that read it.",
    ),
    Checked(
        "circuits",
        checks.circuits,
        "It failed 5 times within a minute, and is tried again: see logs/ for the reasons.",
    ),
    Checked(
        "processes",
        checks.processes,
        "It goes on by itself once that is mended; its log in DATA/logs says more.",
    ),
    Checked(
        "load",
        checks.load,
        "Start more workers (`--workers`), or ask for less; docs/running.md, Under overload.",
    ),
)
REMEDIES = {one.name: one.remedy for one in CHECKS}


async def look(client: Client, data: Path, *, count: bool = False) -> Health:
    """Every check, side by side; see checks.Asked for what is given.

    Not ready: one of the required could not be asked. Degraded: any found something.
    """
    asked = Asked(client, data, count)
    answers = await asyncio.gather(*(_run(one, asked) for one in CHECKS))
    found = {one.name: check for one, check in zip(CHECKS, answers, strict=True) if check}
    if any(found[one.name].code for one in CHECKS if one.required):
        return Health(status="not ready", checks=found)
    well = all(check.ok for check in found.values())
    return Health(status="ready" if well else "degraded", checks=found)


async def _run(one: Checked, asked: Asked) -> Check | None:
    start = time.perf_counter()
    try:
        found = await one.look(asked)
    except CasebookError as error:
        found = Check(ok=False, code=error.code, reason=error.message)
    return found and found.model_copy(update={"ms": round((time.perf_counter() - start) * 1000, 1)})
