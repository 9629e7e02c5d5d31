"""Dead letters: dead list, count, groups, show, edit, discard, restore, replay."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import orjson
from pydantic import BaseModel

from commands.base import Failure, Kept, as_json, failures, me, out, print_json, talk
from commands.letters import letters, show_groups, show_letter, show_page
from commands.tasks import show_task, watch
from commands.when import when
from contracts.base import Contract, Write, new_id
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
M = TypeVar("M", bound=Contract)

STATES = click.Choice([state.value for state in LetterState])
#: Why a replay leaves a letter where it is.
REFUSED = {
    "unreadable": "the message can't be read",
    "unknown_actor": "this release has no such operation",
    "too_large": "larger than a message may be",
    "task_canceled": "its task was canceled: casebook tasks resume sends it",
}
PATIENCE = 120.0  # seconds: freezing a million letters takes a while


def filters(command: F) -> F:
    """The options that narrow letters down."""
    for option in reversed(
        (
            click.option("--actor", metavar="NAME", help="As in entries.create."),
            click.option("--queue", metavar="NAME"),
            click.option("--reason", metavar="NAME", help="failed, refused, invalid, poison, ..."),
            click.option("--error", metavar="NAME", help="Exception class."),
            click.option("--text", help="In the error, the operation's name or the message."),
            click.option(
                "--since",
                type=when,
                metavar="WHEN",
                help="Died since then: 2h, 3d, or ISO 8601.",
            ),
            click.option("--until", type=when, metavar="WHEN", help="Died before then."),
            click.option("--task", type=click.UUID, metavar="ID", help="Members of this task."),
        )
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
            return reply.from_reply(body)
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
    show_page(page)


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
    show_groups(found)


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


@dead.command()
@click.argument("letter_id", type=click.UUID)
@click.option("--request", help="JSON, @FILE, or - for stdin; without it, your editor.")
@as_json
def edit(letter_id: UUID, request: str | None, json_: bool) -> None:
    """Mend a letter's request; it is checked against its actor's contract."""
    text = _given(request) if request is not None else _in_editor(_get(letter_id))
    try:
        letter = _edit(letter_id, text)
    except Kept:
        raise  # changed as soon as it can be
    except Failure as failure:
        kept = "" if request is not None else _kept(text, letter_id)
        message = f"Nothing was changed: {failure.message}{kept}"
        raise Failure(message, failure.code, failure.exit_code) from None
    if json_:
        print_json(letter)
    else:
        out.print(f"Changed, not sent yet: casebook dead replay {letter.id}", soft_wrap=True)


def _edit(letter_id: UUID, text: str) -> DeadLetterWhole:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"no JSON: {error}", "JSON_UNREADABLE", 1) from None
    with failures():
        command = EditDeadLetter(id=letter_id, request=body, by=me())
    return ask_operation("edit", DeadLetterWhole, command)


def _kept(text: str, letter_id: UUID) -> str:
    """Where what was typed in the editor is now, and how to go on with it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        file.write(text)
    return f"\nYour text is kept: casebook dead edit {letter_id} --request @{file.name}"


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
        out.print(f"{letters(total)} {done}." if total else f"Nothing was {done}: none fits.")


def _confirm(request: LetterFilter, what: str, yes: bool) -> None:
    if not yes and not request.ids:
        wanted = {name: getattr(request, name) for name in LetterFilter.model_fields}
        found = ask_operation("count", LetterCount, LetterFilter(**wanted))
        if found.count:
            click.confirm(f"{what} {letters(found.count)}?", abort=True, err=True)


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
        click.confirm(f"Send {letters(plan.count)} again?", abort=True, err=True)
    started = ask_operation("start", ReplayStarted, command)
    if not json_:
        _show_plan(started, f"to send again, task {started.task}")
    if not wait:
        print_json(started) if json_ else None
        return
    task = watch(started.task, quiet=json_)
    print_json(task) if json_ else show_task(task)
    sys.exit(0 if task.status == "succeeded" else 1)


def _show_plan(plan: ReplayPlan, what: str) -> None:
    out.print(f"{letters(plan.count)} {what}." if plan.count else "Nothing to send: none fits.")
    for why, number in plan.refused.items():
        stay = "stays" if number == 1 else "stay"
        out.print(f"[yellow]{letters(number)} {stay} dead: {REFUSED.get(why, why)}[/yellow]")
