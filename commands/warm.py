"""Popular answers computed before they are asked for: warm."""

import sys
from typing import Any
from uuid import UUID

import click

from commands.base import as_json, failures, me, out, print_json, talk
from commands.tasks import show_task, watch
from contracts.tasks import Task
from contracts.warming import WarmAnswers, Warmed
from settings import Settings

SAID = {
    "done": "all that is popular is warm.",
    "time": "the time is over; the next run goes on.",
    "busy": "searches waited for a worker: the next run goes on.",
    "another": "another run is under way.",
    "away": "the warm layer does not answer or is full (see casebook doctor): nothing is lost.",
    "off": "there is no warm layer here (CASEBOOK_CACHE_URL).",
}


@click.command()
@click.option("--within", type=float, help="Seconds; by default CASEBOOK_WARM_WITHIN.")
@click.option("--rate", type=float, help="Answers a second; by default CASEBOOK_WARM_RATE.")
@click.option("--wait/--no-wait", default=True, help="Watch it until it has ended.")
@as_json
def warm(within: float | None, rate: float | None, wait: bool, json_: bool) -> None:
    """Bring the answers that many ask for up to now, as happens by itself each minute."""
    with failures():
        request = WarmAnswers(within=within, rate=rate)

    async def conversation(client: Any, settings: Settings) -> UUID:
        from pipelines.warming import warm as start

        return await start(client, request, by=me(), timeout=settings.write_timeout)

    task_id = talk(conversation)
    if not wait:
        print_json({"task": str(task_id)}) if json_ else out.print(f"task {task_id}")
        return
    task = watch(task_id, quiet=json_)
    if task.status != "succeeded":
        print_json(task) if json_ else show_task(task)
        sys.exit(1)
    _show(task, json_)


def _show(task: Task, json_: bool) -> None:
    report = Warmed.model_validate(task.steps[0].result)
    if json_:
        print_json({"task": str(task.id), **report.model_dump(mode="json")})
        return
    for name in ("warmed", "fresh", "failed"):
        counts = ", ".join(f"{count} {what}" for what, count in getattr(report, name).items())
        if counts:
            out.print(f"{name:8}{counts}")
    if report.left:
        out.print(f"{'left':8}{report.left}")
    back = f", {report.stood_back:.1f} s of them stood back" if report.stood_back else ""
    out.print(f"in {report.seconds:.1f} s{back}: {SAID[report.ended]}")
