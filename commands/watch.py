"""A folder whose files are imported as they come."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.base import as_json, err, out, plain, print_json, say_json, talk
from commands.import_report import sum_of
from commands.sources import Asked, source_options, unable
from contracts.errors import NoReply, QueueUnavailable, Unavailable
from settings import Settings

if TYPE_CHECKING:
    from pipelines.importing import Plan
    from pipelines.watching import Tried

ANEW = 2.0  # seconds between two askings for a saved mapping while servers are away


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@source_options
@click.option("--max-rejects", type=click.IntRange(0), help="Stop a file where there are more.")
@click.option(
    "--settle",
    type=click.FloatRange(0, 3600),
    default=2.0,
    show_default=True,
    help="Seconds without a change after which a file is whole.",
)
@click.option("--keep", is_flag=True, help="Leave the files in place; remember what was imported.")
@click.option("--once", is_flag=True, help="Import what is there, and end.")
@as_json
def watch(
    folder: Path,
    asked: Asked,
    max_rejects: int | None,
    settle: float,
    keep: bool,
    once: bool,
    json_: bool,
) -> None:
    """Import files that appear or change in FOLDER, each once.

    They go to FOLDER/done, or to FOLDER/failed with what was wrong beside them.
    """
    from pipelines.inbox import Inbox
    from pipelines.watching import watch as watch_folder

    codes = set()

    def tried(one: "Tried") -> None:
        codes.add(one.exit_code)
        _print(one, json_)

    async def conversation(client: Any, settings: Settings) -> None:
        if not client.connected:
            _say_waiting(json_)
        complete = await _patiently(lambda: asked.completed(plan, client, settings), once=once)
        watching = asyncio.ensure_future(watch_folder(client, inbox, complete, tried, once=once))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    with unable():
        plan = replace(asked.plan(), max_rejects=max_rejects)
        with contextlib.closing(Inbox(folder, settle=settle, keep=keep)) as inbox:
            talk(conversation, patient=not once)
    # 1 goes before 3: the next run tells of servers that are away, but of no failed file again.
    sys.exit(min(codes - {0}, default=0) if once else 0)


def _say_waiting(json_: bool) -> None:
    message = "Redis is away: files wait until it is back."
    if json_:
        say_json({"waits": {"code": QueueUnavailable.code, "message": message}})
    else:
        err.print(message)


async def _patiently(asking: "Callable[[], Awaitable[Plan]]", *, once: bool) -> "Plan":
    """The answer, awaited until there is one. Raises with `once`: Unavailable, NoReply."""
    while True:
        try:
            return await asking()
        except (Unavailable, NoReply):
            if once:
                raise
            await asyncio.sleep(ANEW)


def _print(one: "Tried", json_: bool) -> None:
    """One line for each file."""
    error = None if one.error is None else one.error.as_dict()
    if json_:
        report = None if one.report is None else one.report.model_dump(mode="json")
        line = {"file": one.name, "state": one.state, "report": report, "error": error}
        print_json(line)
        return
    name = plain(one.name)
    if error is not None:
        out.print(f"[red]{name}[/red] {plain(error['message'])} [dim]({error['code']})[/dim]")
    if one.report is not None:
        text = sum_of(one.report.counts)
        out.print(f"{name} {text} [dim]{one.report.id}[/dim]", soft_wrap=True)
    if one.gone and one.report is not None:
        out.print(f"{name} was removed meanwhile; its rows are stored")
    if one.stuck:
        out.print(f"{name} stays; it is not taken again")
    if one.again:
        why = "has changed meanwhile" if one.report is not None else "stays"
        out.print(f"{name} {why}; it is taken again")
