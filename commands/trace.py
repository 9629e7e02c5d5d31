"""What was done for an operation, and which operations took long."""

from typing import Any

import click
from rich.table import Table

from commands.base import as_json, out, plain, print_json, talk
from contracts.traces import GetTrace, ListSlow, SlowOperations, Trace
from settings import Settings


@click.command()
@click.argument("operation", metavar="ID")
@as_json
def trace(operation: str, json_: bool) -> None:
    """The story of an operation: its id is in X-Operation-Id, in errors and in the log.

    A message's or a task's id will do as well. Kept for a week: every write, and reads that were
    slow, failed, or came with a sampled traceparent. Exit code 1 when nothing is known.
    """

    async def conversation(client: Any, settings: Settings) -> Trace:
        from actors.traces import get
        from pipelines.ask import ask_for

        request = GetTrace(id=operation)
        return await ask_for(Trace, client, get, request, timeout=settings.read_timeout)

    found = talk(conversation)
    print_json(found) if json_ else _show(found)
    raise SystemExit(0 if any(part for _, part in found) else 1)


@click.command()
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True)
@as_json
def slow(hours: int, json_: bool) -> None:
    """Operations over CASEBOOK_SLOW_MS, those that took most in total first."""

    async def conversation(client: Any, settings: Settings) -> SlowOperations:
        from actors.traces import slow as ask_slow
        from pipelines.ask import ask_for

        request = ListSlow(hours=hours)
        timeout = settings.read_timeout
        return await ask_for(SlowOperations, client, ask_slow, request, timeout=timeout)

    found = talk(conversation)
    if json_:
        print_json(found)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("actor", "count", "total s", "most s", "the slowest", "its request"):
        table.add_column(column, no_wrap=True, justify="left" if len(column) > 7 else "right")
    for one in found.operations:
        shape = ", ".join(f"{name}: {kind}" for name, kind in (one.shape or {}).items())
        times = (f"{ms / 1000:.1f}" for ms in (one.total_ms, one.most_ms))
        cells = (one.actor, str(one.count), *times, one.operation_id, shape)
        table.add_row(*(plain(cell) for cell in cells))
    out.print(table if found.operations else "nothing was slow.")


def _show(found: Trace) -> None:
    for task in found.tasks:
        out.print(f"task {task.id} ({plain(task.type)}) of {plain(task.started_by)}: {task.status}")
    for span in found.spans:
        style = "green" if span.outcome == "done" else "yellow"
        at = f"{span.at.astimezone():%H:%M:%S.%f}"[:-3]
        error = f" {plain(span.error)}" if span.error else ""
        attempt = f", attempt {span.attempt}" if span.attempt > 1 else ""
        out.print(
            f"{at}  {plain(span.actor):24} {plain(span.queue):10} waited {span.waited_ms:.1f} ms, "
            f"took {span.ms:.1f} ms{attempt}  [{style}]{span.outcome}[/{style}]{error}",
            soft_wrap=True,
        )
        where = plain(f"{span.message_id} on {span.worker}")
        out.print(f"              [dim]{where}[/dim]", soft_wrap=True)
    for letter in found.letters:
        about = plain(f"{letter.actor} {letter.reason}: {letter.error} {letter.message}")
        out.print(f"dead letter {letter.id} ({letter.state}): {about}", soft_wrap=True)
    for one in found.errors:
        out.print(f"error {one.fingerprint}: {plain(one.error)} in {plain(one.place)}")
    if not any(part for _, part in found):
        out.print("nothing is known of it.")
