"""Dead letters: dead list, count, groups, show, edit, discard, restore, replay."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import orjson
from pydantic import BaseModel
from rich.markup import escape
from rich.table import Table

from commands.base import Failure, as_json, failures, me, out, print_json, talk
from commands.tasks import WHOLE_ID, show_task, watch
from commands.when import shown, when
from contracts.base import Write, new_id
from contracts.dead_letters import (
    DeadLetterPage,
    DeadLetterWhole,
    DiscardDeadLetters,
    EditDeadLetter,
    GetDeadLetter,
    LetterCount,
    LetterFilter,
    LetterGroups,
    LettersChanged,
    LetterState,
    ListDeadLetters,
    ReplayDeadLetters,
    ReplayPlan,
    ReplayStarted,
    RestoreDeadLetters,
)
from settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=BaseModel)

STATES = click.Choice([state.value for state in LetterState])
PATIENCE = 120.0  # seconds: freezing a million letters takes a while


def filters(command: F) -> F:
    """The options that narrow letters down."""
    for option in (
        click.option("--actor", help="As in entries.create."),
        click.option("--queue"),
        click.option("--reason", help="failed, refused, invalid, poison, undecodable, ..."),
        click.option("--error", help="Exception class."),
        click.option("--text", help="In the error, the actor's name or the message's body."),
        click.option(
            "--since",
            type=when,
            metavar="WHEN",
            help="Died since then: 2h, 3d, or an ISO 8601 time.",
        ),
        click.option("--until", type=when, metavar="WHEN", help="Died before then."),
        click.option("--task", type=click.UUID, help="Members of this task."),
    ):
        command = option(command)
    return command


def selection(command: F) -> F:
    """Letters named one by one, or by a filter, or all of them."""
    command = click.option("--everything", is_flag=True, help="All of them.")(filters(command))
    return click.argument("ids", nargs=-1, type=click.UUID)(command)


@click.group()
def dead() -> None:
    """What failed: look at it, mend it, send it again."""


def ask_operation(name: str, reply: type[M], request: BaseModel) -> M:
    """The reply of an operation of `dead_letters` or `replay`."""

    async def conversation(client: Any, settings: Settings) -> M:
        from actors import dead_letters, replay
        from pipelines.ask import ask_for
        from pipelines.tasks import ask_write

        operation = getattr(dead_letters, name, None) or getattr(replay, name)
        if not operation.read and isinstance(request, Write):
            body = await ask_write(client, operation, request, timeout=PATIENCE)
            return reply.model_validate_json(body)
        return await ask_for(reply, client, operation, request, timeout=PATIENCE)

    return talk(conversation)


@dead.command(name="list")
@filters
@click.option("--state", type=STATES, default="dead", show_default=True)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.option("--cursor", help="Where the page before ended.")
@as_json
def list_(json_: bool, **options: Any) -> None:
    """List letters, the last to die first."""
    with failures():
        request = ListDeadLetters(**options)
    page = ask_operation("list_page", DeadLetterPage, request)
    if json_:
        print_json(page)
        return
    table = Table(WHOLE_ID, "died", "actor", "reason", "error", "tries", "replays", "", box=None)
    for one in page.letters:
        table.add_row(
            str(one.id),
            shown(one.failed_at),
            escape(one.actor),
            one.reason,
            escape(one.error),
            str(one.deliveries),
            str(one.replays or ""),
            escape(one.message.split("\n")[0][:60]),
        )
    out.print(table)
    if page.next_cursor:
        out.print(f"[dim]more: --cursor {page.next_cursor}[/dim]", soft_wrap=True)


@dead.command()
@filters
@as_json
def count(json_: bool, **options: Any) -> None:
    """How many there are."""
    with failures():
        request = LetterFilter(**options)
    found = ask_operation("count", LetterCount, request)
    if json_:
        print_json(found)
    else:
        out.print(str(found.count))


@dead.command()
@filters
@as_json
def groups(json_: bool, **options: Any) -> None:
    """What died alike: how many, of which actor, since when."""
    with failures():
        request = LetterFilter(**options)
    found = ask_operation("groups", LetterGroups, request)
    if json_:
        print_json(found)
        return
    for group in found.groups:
        out.print(
            f"[bold]{group.count:,}[/bold] x {escape(group.error or group.reason)} in "
            f"{escape(group.actor or 'no actor')} since {shown(group.first_failed_at)}, "
            f"last {shown(group.failed_at)}"
        )
        out.print(f"    [dim]{escape(group.message.split(chr(10))[0][:100])}[/dim]")
        out.print(f"    [dim]casebook dead show {group.example}[/dim]")
    if not found.groups:
        out.print("no dead letters.")


@dead.command()
@click.argument("letter_id", type=click.UUID)
@as_json
def show(letter_id: UUID, json_: bool) -> None:
    """Show one letter whole: the message, every attempt, the last traceback."""
    letter = _get(letter_id)
    if json_:
        print_json(letter)
    else:
        show_letter(letter)


def _get(letter_id: UUID) -> DeadLetterWhole:
    return ask_operation("get", DeadLetterWhole, GetDeadLetter(id=letter_id))


def show_letter(letter: DeadLetterWhole) -> None:
    """One letter for a person."""
    out.print(
        f"[bold]{escape(letter.actor or 'unreadable')}[/bold] {letter.id} "
        f"[red]{letter.state}[/red]: {letter.reason}"
    )
    out.print(
        f"[dim]queue {escape(letter.queue)}, message {escape(letter.message_id)}, "
        f"{letter.deliveries} deliveries, first failed {shown(letter.first_failed_at)}, "
        f"died {shown(letter.failed_at)}, {letter.size:,} bytes[/dim]",
        soft_wrap=True,
    )
    if letter.replays:
        out.print(f"[yellow]replayed {letter.replays} times before[/yellow]")
    if letter.discarded_why:
        out.print(f"discarded: {escape(letter.discarded_why)} ({escape(letter.changed_by or '')})")
    for attempt in letter.attempts:
        took = f"{attempt.ms:,.0f} ms" if attempt.ms is not None else ""
        out.print(
            f"  {shown(attempt.at)} {took} {escape(attempt.error)}: {escape(attempt.message)} "
            f"[dim]{escape(attempt.worker)}[/dim]",
            soft_wrap=True,
        )
    if letter.attempts and letter.attempts[-1].traceback:
        out.print(escape(letter.attempts[-1].traceback), style="dim")
    for name, value in letter.report.items():
        out.print(f"  {escape(name)}: {escape(str(value))}", style="dim", soft_wrap=True)
    if letter.body is not None:
        text = orjson.dumps(letter.body["args"], option=orjson.OPT_INDENT_2).decode()
        out.print("\n[bold]Request[/bold]\n" + escape(text))
    else:
        out.print("\n[bold]Bytes[/bold]\n" + escape(letter.raw or ""))


@dead.command()
@click.argument("letter_id", type=click.UUID)
@click.option("--request", help="JSON, @FILE, or - for stdin; without it, your editor.")
@as_json
def edit(letter_id: UUID, request: str | None, json_: bool) -> None:
    """Mend a letter's request; it is checked against its actor's contract."""
    text = _given(request) if request is not None else _in_editor(_get(letter_id))
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"Nothing was changed: no JSON: {error}", "JSON_UNREADABLE", 1) from None
    with failures():
        command = EditDeadLetter(id=letter_id, request=body, by=me())
    letter = ask_operation("edit", DeadLetterWhole, command)
    if json_:
        print_json(letter)
    else:
        out.print(f"changed; send it with `casebook dead replay {letter.id}`.")


def _given(text: str) -> str:
    try:
        if text == "-":
            return sys.stdin.read()
        return Path(text[1:]).read_text() if text.startswith("@") else text
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{text[1:]}: {error}", "SOURCE_UNREADABLE", 2) from None


def _in_editor(letter: DeadLetterWhole) -> str:
    if letter.body is None:
        raise Failure("The message can't be read: it can only be discarded.", "UNREADABLE", 1)
    request = letter.body["args"][0] if letter.body["args"] else {}
    text = orjson.dumps(request, option=orjson.OPT_INDENT_2).decode()
    changed = click.edit(text, extension=".json")
    if changed is None:
        raise Failure("Nothing was changed: the editor was left without saving.", "UNCHANGED", 1)
    return changed


@dead.command()
@selection
@click.option("--why", required=True, help="Kept with the letters.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json
def discard(json_: bool, yes: bool, **options: Any) -> None:
    """Put letters aside; they can be restored for 30 days."""
    with failures():
        command = DiscardDeadLetters(**options, by=me())
    _confirm(command, "Discard", yes)
    _change("discard", command, "discarded", json_)


@dead.command()
@selection
@click.option("--replayed", is_flag=True, help="Letters that were replayed, instead.")
@as_json
def restore(json_: bool, replayed: bool, **options: Any) -> None:
    """Bring discarded letters back among the dead."""
    state = LetterState.REPLAYED if replayed else LetterState.DISCARDED
    with failures():
        command = RestoreDeadLetters(**options, state=state, by=me())
    _change("restore", command, "restored", json_)


def _change(name: str, command: Write, done: str, json_: bool) -> None:
    total = 0
    while True:
        changed = ask_operation(name, LettersChanged, command)
        total += changed.count
        if not changed.more:
            break
        command = command.model_copy(update={"key": str(new_id())})
    if json_:
        print_json(LettersChanged(count=total))
    else:
        out.print(f"{total:,} {done}.")


def _confirm(request: LetterFilter, what: str, yes: bool) -> None:
    if not yes and not request.ids:
        wanted = {name: getattr(request, name) for name in LetterFilter.model_fields}
        found = ask_operation("count", LetterCount, LetterFilter(**wanted))
        click.confirm(f"{what} {found.count:,} letters?", abort=True, err=True)


@dead.command()
@selection
@click.option("--rate", type=float, help="Letters a second, at most.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--wait/--no-wait", default=True, help="Watch it until it has ended.")
@as_json
def replay(json_: bool, dry_run: bool, yes: bool, wait: bool, **options: Any) -> None:
    """Send letters to their queues again. The selection is fixed when it begins.

    It is a task: `casebook tasks cancel ID` stops it, `casebook tasks resume ID` goes on.
    """
    with failures():
        command = ReplayDeadLetters(**options, by=me())
    plan = ask_operation("plan", ReplayPlan, command)
    if dry_run or not plan.count:
        print_json(plan) if json_ else _show_plan(plan, "would be sent")
        sys.exit(0 if dry_run else 1)
    if not yes and not command.ids:
        click.confirm(f"Send {plan.count:,} letters again?", abort=True, err=True)
    started = ask_operation("start", ReplayStarted, command)
    if not json_:
        _show_plan(started, f"are sent, task {started.task}")
    if not wait:
        print_json(started) if json_ else None
        return
    task = watch(started.task, quiet=json_)
    print_json(task) if json_ else show_task(task)
    sys.exit(0 if task.status == "succeeded" else 1)


def _show_plan(plan: ReplayPlan, what: str) -> None:
    out.print(f"{plan.count:,} letters {what}.", soft_wrap=True)
    for why, number in plan.refused.items():
        out.print(f"[yellow]{number:,} stay: {why.replace('_', ' ')}[/yellow]")
