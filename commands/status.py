"""How the system is, and its index built anew: status, reindex."""

import asyncio
import functools
import sys
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import click
from pydantic import BaseModel
from rich.markup import escape

from commands.base import as_json, me, out, print_json, talk
from commands.tasks import show_task, watch
from contracts.alerts import Alerts, ListAlerts
from contracts.base import Nothing
from contracts.errors import CasebookError
from contracts.search import IndexStatus, IndexVerified, VerifyIndex
from contracts.system import AskDatabase, DatabaseStatus
from settings import Settings


@click.command()
@click.option("--verify", is_flag=True, help="Compare the index with PostgreSQL, entry by entry.")
@as_json
def status(verify: bool, json_: bool) -> None:
    """How the system is, on one page. Exit code 1 when something is not well."""
    page = talk(functools.partial(_status, verify=verify))
    well = all("error" not in part for part in page.values() if isinstance(part, dict))
    well = well and not page["alerts"].get("firing") and not page["circuits"]["open"]
    well = well and page.get("verified", {}).get("agrees", True)
    if json_:
        print_json(page)
    else:
        for name, part in page.items():
            told = {k.replace("_", " "): v for k, v in part.items() if v not in ([], None)}
            cells = ", ".join(f"{k} {v}" for k, v in told.items())
            wrong = "error" in part or part.get("agrees") is False
            wrong = wrong or part.get("firing") or part.get("open")
            style = "red" if wrong else "green"
            out.print(f"[{style}]{name:10}[/{style}] {escape(cells)}", soft_wrap=True)
    sys.exit(0 if well else 1)


async def _status(client: Any, settings: Settings, *, verify: bool) -> dict[str, Any]:
    from actors import index, system
    from actors.queues import queue_of
    from pipelines.ask import ask_for

    queue = queue_of(settings.node)

    async def part(asking: Coroutine[Any, Any, BaseModel]) -> dict[str, Any]:
        try:
            return (await asking).model_dump(mode="json")
        except CasebookError as error:
            return {"error": error.code, "message": error.message}

    patience = 3.0
    depths = await asyncio.to_thread(_depths, client.broker)
    page: dict[str, Any] = {
        "database": await part(
            ask_for(
                DatabaseStatus, client, system.database, AskDatabase(count=True), timeout=patience
            )
        ),
        "index": await part(
            ask_for(IndexStatus, client, index.status, Nothing(), timeout=patience)
        ),
        "queues": depths,
        "processes": await asyncio.to_thread(_processes, client.broker),
        "alerts": await part(_alerts(client, patience)),
        "circuits": await asyncio.to_thread(_circuits, settings),
    }
    if verify:
        request = VerifyIndex()
        page["verified"] = await part(
            ask_for(IndexVerified, client, index.verify, request, timeout=600, queue=queue)
        )
    return page


class Summary(BaseModel):
    """Alerts in a line."""

    firing: int
    rules: list[str]


async def _alerts(client: Any, timeout: float) -> Summary:
    from actors import alerts
    from pipelines.ask import ask_for

    found = await ask_for(Alerts, client, alerts.list_page, ListAlerts(), timeout=timeout)
    firing = [one.rule for one in found.alerts if one.state == "firing"]
    return Summary(firing=len(firing), rules=sorted(set(firing)))


def _processes(broker: Any) -> dict[str, Any]:
    """The phase of each one's start, and how long those took that are over."""
    from actors.startup import processes

    told: dict[str, Any] = {}
    for one in processes(broker.link):
        took = ", ".join(f"{phase} {ms:.0f} ms" for phase, ms in one.ms.items())
        why = f": {one.reason}" if one.reason else ""
        told[f"{one.node}/{one.name}"] = f"{one.phase}{why} ({took})"
    return told


def _depths(broker: Any) -> dict[str, Any]:
    depths = {name: broker.depth(name) for name in sorted(broker.queues)}
    return {
        name: " ".join(f"{count} {state}" for state, count in depth.items() if count) or "empty"
        for name, depth in depths.items()
    }


def _circuits(settings: Settings) -> dict[str, Any]:
    """What the processes of this node leave alone, because it failed again and again."""
    from actors.metrics import gather

    found = gather.circuits(settings.data)
    opened = [f"{one.name} of {one.process}" for one in found if one.state == "open"]
    return {"closed": sum(one.state == "closed" for one in found), "open": opened}


@click.command()
@click.option("--node", multiple=True, help="Which nodes; by default this one.")
@click.option("--wait/--no-wait", default=True, help="Watch it until it has ended.")
@as_json
def reindex(node: tuple[str, ...], wait: bool, json_: bool) -> None:
    """Build the index anew beside the old one, swap, compare; searches go on meanwhile."""

    async def conversation(client: Any, settings: Settings) -> UUID:
        from pipelines.tasks import reindex as start

        nodes = node or (settings.node,)
        return await start(client, nodes, by=me(), timeout=settings.write_timeout)

    task_id = talk(conversation)
    if not wait:
        print_json({"task": str(task_id)}) if json_ else out.print(f"task {task_id}")
        return
    task = watch(task_id, quiet=json_)
    if json_:
        print_json(task)
    elif task.status == "succeeded":
        out.print("the index was built anew.")
    else:
        show_task(task)
    sys.exit(0 if task.status == "succeeded" else 1)
