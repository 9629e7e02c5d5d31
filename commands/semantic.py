"""Search by meaning: switched on and off, and how far it is."""

import sys

import click
from rich.markup import escape

from commands.base import as_json, ask_operation, me, out, print_json
from commands.tasks import show_task, watch
from contracts.base import Nothing
from contracts.semantic import (
    DisableSemantic,
    EnableSemantic,
    SemanticDisabled,
    SemanticStarted,
    SemanticState,
)


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def semantic(context: click.Context, json_: bool) -> None:
    """Search by meaning (`search --mode semantic|hybrid`): how far it is."""
    if context.invoked_subcommand is not None:
        return
    found = ask_operation("semantic.state", SemanticState, Nothing())
    if json_:
        print_json(found)
    elif found.model is None:
        more = "" if found.filling else "`casebook semantic enable`; "
        out.print(f"off: {more}provider {escape(found.provider)}", soft_wrap=True)
    else:
        about = f"{found.vectors} vectors of {found.entries} entries, {found.dimensions} dimensions"
        out.print(f"on: {escape(found.name)}, {about}", soft_wrap=True)
    if found.filling and not json_:
        made = f"{found.filled} of {found.entries} vectors, task {found.filling_task}"
        out.print(f"being made with {escape(found.provider)}: {made}", soft_wrap=True)


@semantic.command()
@click.option("--wait/--no-wait", default=True, help="Watch it until it has ended.")
@as_json
def enable(wait: bool, json_: bool) -> None:
    """Make vectors of all entries, anew where there are some; searches go on meanwhile."""
    started = ask_operation("semantic.enable", SemanticStarted, EnableSemantic(by=me()))
    if not wait:
        print_json(started) if json_ else out.print(f"task {started.task}")
        return
    task = watch(started.task, quiet=json_)
    if json_:
        print_json(task)
    elif task.status == "succeeded" and (task.result or {}).get("superseded"):
        out.print("given up: a newer one was complete first, or it was switched off.")
    elif task.status == "succeeded":
        out.print("search by meaning is on.")
    else:
        show_task(task)
    sys.exit(0 if task.status == "succeeded" else 1)


@semantic.command()
@as_json
def disable(json_: bool) -> None:
    """Forget all vectors. Words and codes are found as before."""
    done = ask_operation("semantic.disable", SemanticDisabled, DisableSemantic(by=me()))
    print_json(done) if json_ else out.print(f"{done.vectors} vectors were forgotten.")
