"""Search by meaning: switched on and off, and how far it is."""

import sys
from typing import Any, TypeVar

import click
from rich.markup import escape

from commands.base import as_json, me, out, print_json, talk
from commands.tasks import show_task, watch
from contracts.base import Contract, Nothing
from contracts.semantic import (
    DisableSemantic,
    EnableSemantic,
    SemanticDisabled,
    SemanticStarted,
    SemanticState,
)
from settings import Settings

M = TypeVar("M", bound=Contract)


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def semantic(context: click.Context, json_: bool) -> None:
    """Search by meaning (`search --mode semantic|hybrid`): how far it is."""
    if context.invoked_subcommand is not None:
        return
    found = _ask(SemanticState, "state", Nothing())
    if json_:
        print_json(found)
    elif found.model is None:
        more = "its first vectors are being made" if found.filling else "`casebook semantic enable`"
        out.print(f"off: {more}; provider {escape(found.provider)}", soft_wrap=True)
    else:
        about = f"{found.vectors} vectors of {found.entries} entries, {found.dimensions} dimensions"
        out.print(f"on: {escape(found.name)}, {about}", soft_wrap=True)


@semantic.command()
@click.option("--wait/--no-wait", default=True, help="Watch it until it has ended.")
@as_json
def enable(wait: bool, json_: bool) -> None:
    """Make vectors of all entries, anew where there are some; searches go on meanwhile."""
    started = _ask(SemanticStarted, "enable", EnableSemantic(by=me()))
    if not wait:
        print_json(started) if json_ else out.print(f"task {started.task}")
        return
    task = watch(started.task, quiet=json_)
    if json_:
        print_json(task)
    elif task.status == "succeeded":
        out.print("search by meaning is on.")
    else:
        show_task(task)
    sys.exit(0 if task.status == "succeeded" else 1)


@semantic.command()
@as_json
def disable(json_: bool) -> None:
    """Forget all vectors. Words and codes are found as before."""
    done = _ask(SemanticDisabled, "disable", DisableSemantic(by=me()))
    print_json(done) if json_ else out.print(f"{done.vectors} vectors were forgotten.")


def _ask(reply: type[M], operation: str, request: Contract) -> M:
    async def conversation(client: Any, settings: Settings) -> M:
        from actors import semantic as actors
        from pipelines.ask import ask_for

        asked = getattr(actors, operation)
        timeout = settings.read_timeout if asked.read else settings.write_timeout
        return await ask_for(reply, client, asked, request, timeout=timeout)

    return talk(conversation)
