"""Long operations: tasks, tasks show, tasks skips, tasks cancel, tasks resume."""

import asyncio
import contextlib
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import click
import orjson
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from commands.base import as_json, ask_operation, err, failures, me, out, plain, print_json, talk
from commands.import_report import if_dead
from commands.when import shown, when
from contracts.base import Write
from contracts.bulk import GetSkips, SkipPage
from contracts.tasks import (
    CancelTask,
    ListTasks,
    ResumeTask,
    Task,
    TaskPage,
    TaskStatus,
)
from settings import Settings

STATUSES = click.Choice([status.value for status in TaskStatus])
LOOK = 1.0  # seconds between two looks at a list that is followed
COUNTED = ("created", "updated", "unchanged", "rejected")
COLOURS = {"succeeded": "green", "failed": "red", "canceled": "yellow"}


@click.group(invoke_without_command=True)
@click.option("--status", type=STATUSES, help="Only those.")
@click.option("--type", "type_", help="import, reindex, replay, write, ...")
@click.option(
    "--since", type=when, metavar="WHEN", help="Enqueued since then: 2h, 3d, or ISO 8601."
)
@click.option("--until", type=when, metavar="WHEN", help="Enqueued before then.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.option("--cursor", type=click.UUID, help="Where the page before ended.")
@click.option("--follow", is_flag=True, help="Watch them until Ctrl-C.")
@as_json
def tasks(json_: bool, follow: bool, type_: str | None, **options: Any) -> None:
    """Long operations: imports, reindexing, replays; the newest first."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    with failures():
        request = ListTasks(type=type_, **options)
    if follow:
        _follow(request, json_)
    else:
        _list(request, json_)


async def _page(client: Any, settings: Settings, *, request: ListTasks) -> TaskPage:
    from actors import tasks as operations
    from pipelines.ask import ask_for

    timeout = settings.read_timeout
    return await ask_for(TaskPage, client, operations.list_page, request, timeout=timeout)


def _follow(request: ListTasks, json_: bool) -> None:
    """The list as it changes: in place on a terminal, else a line for each change of status."""
    known: dict[UUID, str] = {}

    async def conversation(client: Any, settings: Settings) -> None:
        with Live(console=out, auto_refresh=False) as live:
            while True:
                page = await _page(client, settings, request=request)
                if out.is_terminal and not json_:
                    live.update(
                        "\n".join(map(line_of, page.tasks)) or "no such tasks.", refresh=True
                    )
                for task in reversed(page.tasks):
                    if known.get(task.id) != task.status and (json_ or not out.is_terminal):
                        print_json(task) if json_ else out.print(line_of(task), soft_wrap=True)
                    known[task.id] = task.status
                await asyncio.sleep(LOOK)

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        talk(conversation)


def line_of(task: Task) -> str:
    """One task on one line."""
    return f"[bold]{task.id}[/bold]  {task.type} {coloured(task.status)} {counted(task)}"


def _list(request: ListTasks, json_: bool) -> None:
    page = talk(functools.partial(_page, request=request))
    if json_:
        print_json(page)
        return
    for task in page.tasks:
        out.print(f"[bold]{task.id}[/bold]  {task.type} {coloured(task.status)}", soft_wrap=True)
        out.print(f"    [dim]{counted(task)} done, {times(task)}[/dim]", soft_wrap=True)
        if about := subject(task):
            out.print(f"    [dim]{about}[/dim]")
    if page.next_cursor:
        out.print(f"[dim]more: --cursor {page.next_cursor}[/dim]", soft_wrap=True)
    if not page.tasks:
        out.print("no such tasks.")


@tasks.command()
@click.argument("task_id", type=click.UUID)
@click.option("--follow", is_flag=True, help="Watch it until it has ended.")
@as_json
def show(task_id: UUID, follow: bool, json_: bool) -> None:
    """Show one task with its steps. Exit code 1 where it failed or was canceled."""
    task = watch(task_id, quiet=json_) if follow else talk(functools.partial(_get, task=task_id))
    if json_:
        print_json(task)
    else:
        show_task(task)
    sys.exit(1 if task.status in ("failed", "canceled") else 0)


@tasks.command()
@click.argument("task_id", type=click.UUID)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 500))
@click.option("--cursor", type=click.UUID, help="Where the page before ended.")
@as_json
def skips(task_id: UUID, limit: int, cursor: UUID | None, json_: bool) -> None:
    """Show the entries that a task passed over, and why."""
    request = GetSkips(task=task_id, cursor=cursor, limit=limit)
    page = ask_operation("bulk.skips", SkipPage, request)
    if json_:
        print_json(page)
        return
    show_skips(task_id, page)
    if not page.skips:
        out.print("nothing was skipped.")


def show_skips(task: UUID, page: SkipPage) -> None:
    """A page of what a task passed over, for a person."""
    for skip in page.skips:
        text = f"[yellow]skipped[/yellow] {skip.entry_id} {plain(skip.message)}"
        out.print(text, soft_wrap=True)
    if page.next_cursor:
        more = f"casebook tasks skips {task} --cursor {page.next_cursor}"
        out.print(f"[dim]and more: {more}[/dim]", soft_wrap=True)


@tasks.command()
@click.argument("task_id", type=click.UUID)
@as_json
def cancel(task_id: UUID, json_: bool) -> None:
    """Stop a task; what it has done stays."""
    _change("cancel", CancelTask(id=task_id, by=me()), json_)


@tasks.command()
@click.argument("task_id", type=click.UUID)
@as_json
def resume(task_id: UUID, json_: bool) -> None:
    """Go on with a canceled or failed task where it stopped."""
    _change("resume", ResumeTask(id=task_id, by=me()), json_)


def _change(name: str, command: Write, json_: bool) -> None:
    async def conversation(client: Any, settings: Settings) -> Task:
        from actors import tasks as operations
        from pipelines.tasks import ask_write

        operation = getattr(operations, name)
        reply = await ask_write(client, operation, command, timeout=settings.write_timeout)
        return Task.from_reply(reply)

    task = talk(conversation)
    if json_:
        print_json(task)
    else:
        show_task(task)


async def _get(client: Any, settings: Settings, *, task: UUID) -> Task:
    from pipelines.tasks import get_task

    return await get_task(client, task, timeout=settings.read_timeout)


def watch(task: UUID, *, quiet: bool = False) -> Task:
    """The task when it has ended; meanwhile its progress, where someone looks at it.

    Ctrl-C ends the watching, not the task.
    """

    async def conversation(client: Any, settings: Settings) -> Task:
        from pipelines.tasks import follow

        with Watching(quiet) as seen:
            return await follow(client, task, seen, timeout=settings.read_timeout)

    try:
        return talk(conversation)
    except (KeyboardInterrupt, asyncio.CancelledError):
        err.print("\nIt goes on without you. To watch it again, or to stop it:")
        err.print(f"  casebook tasks show --follow {task}", soft_wrap=True)
        err.print(f"  casebook tasks cancel {task}", soft_wrap=True)
        sys.exit(130)


class Watching:
    """A progress bar on a terminal, a line for each change of status elsewhere."""

    def __init__(self, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[n]}"))
        live = err.is_terminal and not quiet
        self._progress = Progress(*columns, TimeElapsedColumn(), console=err, disable=not live)
        self._row = self._progress.add_task("waiting", total=None, n="")
        self._plain = not live and not quiet
        self._status = ""

    def __enter__(self) -> Callable[[Task], None]:
        self._progress.start()
        return self._seen

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _seen(self, task: Task) -> None:
        name = f"{task.type} {task.status}"
        self._progress.update(
            self._row, description=name, completed=task.done, total=task.total, n=counted(task)
        )
        if self._plain and task.status != self._status:
            err.print(f"{name} {counted(task)}")
        self._status = task.status


def show_task(task: Task) -> None:
    """One task for a person."""
    out.print(f"[bold]{task.type}[/bold] {coloured(task.status)}, {counted(task)} done")
    out.print(f"[dim]{task.id}, {times(task)}[/dim]", soft_wrap=True)
    if about := subject(task):
        out.print(f"[dim]{about}[/dim]", soft_wrap=True)
    for step in task.steps:
        failed = f", [red]{step.failed} failed[/red]" if step.failed else ""
        out.print(
            f"  {plain(step.name)}: {coloured(step.status)}, "
            f"{step.succeeded:,} of {step.members:,} done{failed}"
        )
    if task.error is not None:
        out.print(f"[red]{plain(task.error.code)}[/red]: {plain(task.error.message)}")
    if task.result is not None and task.type != "import":
        out.print(f"result: {plain(told(task.result))}", soft_wrap=True)
    if task.position is not None:
        word = "searchable" if task.searchable else "not searchable yet"
        out.print(f"[dim]{word} at {task.position}[/dim]")
    for line in _next(task):
        out.print(line, soft_wrap=True)


def told(result: Any) -> str:
    """A result in words: what is empty in it is left out."""
    if not isinstance(result, dict):
        return orjson.dumps(result).decode()
    parts = (
        f"{name.replace('_', ' ')} {orjson.dumps(value).decode()}"
        for name, value in result.items()
        if value not in (None, [], {}, "")
    )
    return ", ".join(parts)


def _next(task: Task) -> list[str]:
    """What can be done about it."""
    found = []
    if isinstance(task.result, dict) and task.result.get("skipped"):
        found.append(f"casebook tasks skips {task.id}")
    if task.error is not None and task.error.dead_letter:
        found.append(f"casebook dead show {task.error.dead_letter}")
    if task.type == "write":
        return found  # one message: it can't be stopped, and its letter is what is replayed
    if task.type == "import" and "undone_by" in task.details:
        return [f"taken back: casebook tasks show {task.details['undone_by']}"]
    if task.type == "import" and task.status in ("canceled", "failed"):
        return [f"what was stored is kept; casebook import --resume {task.id} FILES goes on"]
    if task.status in ("failed", "canceled"):
        found.append(f"casebook tasks resume {task.id}")
    if task.status in ("enqueued", "processing"):
        found.append(f"casebook tasks cancel {task.id}")
    if task.type == "import" and task.status == "processing":
        found.append(if_dead(task.id))
    return found


def counted(task: Task) -> str:
    """How far it is."""
    return f"{task.done:,} of {task.total:,}" if task.total is not None else f"{task.done:,}"


def subject(task: Task) -> str:
    """Of an import its first file, its source, and what has become of its rows; else nothing."""
    if task.type != "import":
        return ""
    files, source = task.details.get("files", ()), task.details.get("source", "")
    return came_to(files, task.details.get("file_count", 1), source, task.result or {})


def came_to(files: Sequence[str], file_count: int, source: str, counts: Mapping[str, int]) -> str:
    """An import's first file, its source and its counts, as far as they are known."""
    others = f" and {file_count - 1:,} more" if file_count > 1 else ""
    first = [f"{name}{others}" for name in files[:1]]
    where = " of ".join(plain(name) for name in (*first, source) if name)
    rows = ", ".join(f"{counts[name]:,} {name}" for name in COUNTED if name in counts)
    return ": ".join(part for part in (where, rows) if part)


def times(task: Task) -> str:
    """When it was asked for, by whom, and how long it ran, where it has ended."""
    by = f" by {plain(task.by)}" if task.by else ""
    said = f"enqueued {shown(task.enqueued_at)}{by}"
    if task.finished_at is None:
        return said
    seconds = (task.finished_at - (task.started_at or task.enqueued_at)).total_seconds()
    return f"{said}, took {seconds:,.1f} s"


def coloured(status: str) -> str:
    """A status in its colour."""
    colour = COLOURS.get(status, "cyan")
    return f"[{colour}]{status}[/{colour}]"
