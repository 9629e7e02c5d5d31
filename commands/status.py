"""How the system is, and its index built anew: status, reindex."""

import asyncio
import functools
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import click
from pydantic import BaseModel
from rich.markup import escape

from commands.base import as_json, me, out, print_json, talk
from commands.tasks import show_task, watch
from contracts.alerts import Alerts, ListAlerts
from contracts.errors import CasebookError
from contracts.search import IndexVerified, VerifyIndex
from settings import Settings


@click.command()
@click.option("--verify", is_flag=True, help="Compare the index with PostgreSQL, entry by entry.")
@as_json
def status(verify: bool, json_: bool) -> None:
    """How the system is, on one page. Exit code 1 when something is not well."""
    page = talk(functools.partial(_page, verify=verify))
    if json_:
        print_json(page)
    else:
        _show(page)
    well = page["status"] == "ready" and not page["alerts"].get("firing")
    sys.exit(0 if well and page.get("verified", {}).get("agrees", True) else 1)


async def _page(client: Any, settings: Settings, *, verify: bool) -> dict[str, Any]:
    """The checks, as /readyz tells them; then what fires, and how the index compares."""
    from actors import index
    from actors.queues import queue_of
    from pipelines import health
    from pipelines.ask import ask_for

    found, alerts = await asyncio.gather(
        health.look(client, settings.data, count=True), _part(_alerts(client))
    )
    page = {**found.model_dump(mode="json", exclude_none=True), "alerts": alerts}
    if verify:
        queue = queue_of(settings.node)
        asking = ask_for(
            IndexVerified, client, index.verify, VerifyIndex(), timeout=600, queue=queue
        )
        page["verified"] = await _part(asking)
    return page


async def _part(asking: Coroutine[Any, Any, BaseModel]) -> dict[str, Any]:
    try:
        return (await asking).model_dump(mode="json")
    except CasebookError as error:
        return {"error": error.code, "message": error.message}


class Summary(BaseModel):
    """Alerts in a line."""

    firing: int
    rules: list[str]


async def _alerts(client: Any) -> Summary:
    from actors import alerts
    from pipelines.ask import ask_for
    from pipelines.checks import PATIENCE

    found = await ask_for(Alerts, client, alerts.list_page, ListAlerts(), timeout=PATIENCE)
    firing = [one.rule for one in found.alerts if one.state == "firing"]
    return Summary(firing=len(firing), rules=sorted(set(firing)))


def _show(page: dict[str, Any]) -> None:
    for name, check in page["checks"].items():
        _line(name, check["ok"], _told(name, check))
    alerts, verified = page["alerts"], page.get("verified")
    _line("alerts", not alerts.get("firing") and "error" not in alerts, _answered(alerts))
    if verified is not None:
        _line("verified", verified.get("agrees", False), _answered(verified))


def _answered(part: dict[str, Any]) -> str:
    """What a part of the page came to, or why it can't be told."""
    return f"{part['message']} ({part['error']})" if "error" in part else _cells(part)


def _told(name: str, check: dict[str, Any]) -> str:
    """What is wrong, if anything is, and the numbers; who has none at least answers."""
    parts = [check["reason"].rstrip(".")] if "reason" in check else []
    if check["ok"] or check["facts"]:
        facts = TELLERS.get(name, _cells)(check["facts"])
        parts.append(facts or f"answers within {check['ms']:.0f} ms")
    return "; ".join(parts)


def _line(name: str, well: bool, told: str) -> None:
    style = "green" if well else "red"
    out.print(f"[{style}]{name:10}[/{style}] {escape(told)}", soft_wrap=True)


def _cells(facts: dict[str, Any]) -> str:
    told = {k.replace("_", " "): v for k, v in facts.items() if v not in ([], None)}
    return ", ".join(
        f"{k} {', '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in told.items()
    )


def _queues(facts: dict[str, dict[str, Any]]) -> str:
    told = []
    for name, counts in facts.items():
        seconds = counts.get("oldest_seconds")
        parts = [f"{counts[k]} {k}" for k in ("unfinished", "delayed", "dead") if counts[k]]
        parts += [f"the oldest {seconds:.0f} s"] if seconds else []
        told.append(f"{name} {' '.join(parts)}")
    return ", ".join(told) or "all empty"


def _processes(facts: dict[str, dict[str, Any]]) -> str:
    """The phase of each one's start, and how long those took that are over."""
    told = []
    for name, one in facts.items():
        took = ", ".join(f"{phase} {ms:.0f} ms" for phase, ms in one["ms"].items())
        told.append(f"{name} {one['phase']} ({took})")
    return ", ".join(told)


def _circuits(facts: dict[str, dict[str, str]]) -> str:
    states = Counter(state for circuits in facts.values() for state in circuits.values())
    return ", ".join(f"{count} {state}" for state, count in states.items())


TELLERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "queues": _queues,
    "processes": _processes,
    "circuits": _circuits,
}


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
