"""What was done for an operation, and which operations took long."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from commands.base import as_json, out, plain, print_json, talk
from commands.tables import Column, print_table
from contracts.traces import (
    GetTrace,
    ListSlow,
    SlowOperation,
    SlowOperations,
    SlowStatement,
    Span,
    Trace,
)
from settings import Settings

KEPT = (
    "Kept for a week: every write, and reads that were slow, failed, or came with a sampled"
    " traceparent. What the HTTP server refuses itself (4xx) is told in its reply only."
)
LOGS = "A log may have it, as operation_id: DATA/logs/*.log, or each process's standard error."


@click.command(epilog=KEPT)
@click.argument("operation", metavar="ID")
@as_json
def trace(operation: str, json_: bool) -> None:
    """The story of an operation: its id is in X-Operation-Id, in errors and in the log.

    A message's or a task's id will do as well. Exit code 1 when nothing is known.
    """

    async def conversation(client: Any, settings: Settings) -> Trace:
        from actors.traces import get
        from pipelines.ask import ask_for

        request = GetTrace(id=operation)
        return await ask_for(Trace, client, get, request, timeout=settings.read_timeout)

    found = talk(conversation)
    print_json(found) if json_ else show_story(found)
    raise SystemExit(0 if any(part for _, part in found) else 1)


@click.command()
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True)
@click.option("--plans", is_flag=True, help="With the statements' plans.")
@as_json
def slow(hours: int, plans: bool, json_: bool) -> None:
    """Operations over CASEBOOK_SLOW_MS, and statements over CASEBOOK_SLOW_SQL_MS.

    Those that took most in total come first.
    """

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
    if not found.operations and not found.statements:
        out.print("nothing was slow.")
    if found.operations:
        _table(("actor", "its request"), found.operations, lambda one: one.actor)
    if found.statements:
        _table(("statement", "its values"), found.statements, lambda one: one.name)
    for one in found.statements:
        if plans and one.plan:
            out.print(f"\n{plain(one.name)}\n[dim]{plain(one.plan)}[/dim]", soft_wrap=True)


def _table(
    names: tuple[str, str],
    found: Sequence[SlowOperation | SlowStatement],
    name: Callable[[Any], str],
) -> None:
    columns = (
        Column(names[0]),
        Column("count", right=True),
        Column("total s", right=True, spare=1),
        Column("most s", right=True, spare=2),
        Column("the slowest"),
        Column(names[1], text=True, spare=3),
    )
    rows = []
    for one in found:
        seconds = f"{one.total_ms / 1000:.1f}", f"{one.most_ms / 1000:.1f}"
        cells = (name(one), str(one.count), *seconds, one.operation_id, _shape(one.shape))
        rows.append([plain(cell) for cell in cells])
    print_table(columns, rows)


def _shape(shape: dict[str, Any] | None) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in (shape or {}).items())


def show_story(found: Trace) -> None:
    """Print all that is known, or what could have been."""
    for task in found.tasks:
        out.print(f"task {task.id} ({plain(task.type)}) of {plain(task.started_by)}: {task.status}")
    for span in found.spans:
        _show_span(span)
    for letter in found.letters:
        about = plain(f"{letter.actor} {letter.reason}: {letter.error} {letter.message}")
        out.print(f"dead letter {letter.id} ({letter.state}): {about}", soft_wrap=True)
    for one in found.errors:
        out.print(f"error {one.fingerprint}: {plain(one.error)} in {plain(one.place)}")
    if not any(part for _, part in found):
        out.print(f"nothing is known of it.\n[dim]{KEPT}\n{LOGS}[/dim]", soft_wrap=True)


def _show_span(span: Span) -> None:
    from actors.broker.admission import STRANGER

    style = "green" if span.outcome == "done" else "yellow"
    at = f"{span.at.astimezone():%H:%M:%S.%f}"[:-3]
    error = f" {plain(span.error)}" if span.error else ""
    attempt = f", attempt {span.attempt}" if span.attempt > 1 else ""
    out.print(
        f"{at}  {plain(span.actor):24} {plain(span.queue):10} waited {span.waited_ms:.1f} ms, "
        f"took {span.ms:.1f} ms{attempt}  [{style}]{span.outcome}[/{style}]{error}",
        soft_wrap=True,
    )
    by = f" for {span.caller}" if span.caller else ""
    if span.caller == STRANGER:  # whose key is asked for, or is no key
        by = ", before the key was known"
    where = plain(f"{span.message_id} on {span.worker}{by}")
    out.print(f"              [dim]{where}[/dim]", soft_wrap=True)
    for step in span.steps or ():
        often = f" {step.count} times" if step.count > 1 else ""
        slow = f"  slow; {_shape(step.shape)}" if step.slow else ""
        name = plain(f"{step.kind} {step.name}{often}{slow}")
        out.print(f"              {step.ms:9.1f} ms  {name}", soft_wrap=True)
