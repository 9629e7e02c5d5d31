"""Saved mappings: list, show, save, remove; and the options that make one."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.markup import escape

from commands.base import as_json, ask_operation, failures, me, out, print_json
from contracts.base import Nothing
from contracts.mappings import (
    DeleteMapping,
    GetMapping,
    MappingDeleted,
    SavedMapping,
    SavedMappings,
    SaveMapping,
)

F = TypeVar("F", bound=Callable[..., Any])


def shape_options(command: F) -> F:
    """`--map`, `--default` and `--split`, each as often as needed."""
    for option in (
        click.option("--split", "splits", multiple=True, metavar="tags=SEP", help="Not at commas."),
        click.option("--default", "defaults", multiple=True, metavar="FIELD=VALUE"),
        click.option("--map", "pairs", multiple=True, metavar="FIELD=PATH"),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def mappings(context: click.Context, json_: bool) -> None:
    """Mappings that imports use by name (import --mapping)."""
    if context.invoked_subcommand is None:
        found = ask_operation("mappings.list_all", SavedMappings, Nothing())
        if json_:
            print_json(found)
            return
        for one in found.mappings:
            _show(one)


@mappings.command()
@click.argument("name")
@as_json
def show(name: str, json_: bool) -> None:
    """Show one, as the options that make it."""
    with failures():
        request = GetMapping(name=name)
    found = ask_operation("mappings.get", SavedMapping, request)
    if json_:
        print_json(found)
    else:
        _show(found)


@mappings.command()
@click.argument("name")
@shape_options
@as_json
def save(
    name: str,
    pairs: tuple[str, ...],
    defaults: tuple[str, ...],
    splits: tuple[str, ...],
    json_: bool,
) -> None:
    """Keep these options under NAME, in place of what was kept there."""
    from pipelines.mapping import parse_shape

    with failures():
        shape = parse_shape(pairs, defaults, splits)
        command = SaveMapping(name=name, shape=shape, by=me())
    saved = ask_operation("mappings.save", SavedMapping, command)
    if json_:
        print_json(saved)
    else:
        _show(saved)


@mappings.command()
@click.argument("name")
@as_json
def rm(name: str, json_: bool) -> None:
    """Forget one."""
    with failures():
        command = DeleteMapping(name=name, by=me())
    gone = ask_operation("mappings.delete", MappingDeleted, command)
    if json_:
        print_json(gone)
    else:
        out.print(f"removed [bold]{escape(gone.name)}[/bold]")


def _show(one: SavedMapping) -> None:
    when = one.updated_at.astimezone().strftime("%Y-%m-%d %H:%M")
    out.print(f"[bold]{escape(one.name)}[/bold] [dim]{escape(one.updated_by)}, {when}[/dim]")
    for option, pairs in (
        ("--map", one.shape.mapping),
        ("--default", one.shape.defaults),
        ("--split", one.shape.splits),
    ):
        for field, value in pairs.items():
            out.print(f"  {option} {escape(f'{field}={value}')}", soft_wrap=True)
