"""What people teach the search: `casebook synonyms` and `casebook pins`."""

from uuid import UUID

import click
from rich.markup import escape

from commands.base import as_json, ask_operation, failures, me, out, print_json
from contracts.base import Nothing
from contracts.tuning import PinEntries, SearchTuning, SetSynonyms, TuningChanged, Unpin

_CODES = {"ignore_unknown_options": True}  # `-805` is a code, not an option


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def synonyms(context: click.Context, json_: bool) -> None:
    """Words that mean the same to the search."""
    if context.invoked_subcommand is not None:
        return
    found = ask_operation("tuning.show", SearchTuning, Nothing())
    if json_:
        print_json(found)
        return
    for one in found.synonyms:
        where = f" [dim]in {escape(one.category)}[/dim]" if one.category else ""
        out.print(f"[bold]{escape(one.word)}[/bold] = {escape(', '.join(one.same_as))}{where}")


@synonyms.command("set", context_settings=_CODES)
@click.argument("word")
@click.argument("same_as", nargs=-1, required=True)
@click.option("--category", default="", help="Only there and below; everywhere if left out.")
@as_json
def set_synonyms(word: str, same_as: tuple[str, ...], category: str, json_: bool) -> None:
    """WORD is also called SAME_AS, in place of what was set before; quote phrases."""
    with failures():
        command = SetSynonyms(word=word, same_as=same_as, category=category, by=me())
    _changed(ask_operation("tuning.set_synonyms", TuningChanged, command), json_)


@synonyms.command("rm", context_settings=_CODES)
@click.argument("word")
@click.option("--category", default="")
@as_json
def unset_synonyms(word: str, category: str, json_: bool) -> None:
    """Forget what WORD is called."""
    with failures():
        command = SetSynonyms(word=word, same_as=(), category=category, by=me())
    _changed(ask_operation("tuning.set_synonyms", TuningChanged, command), json_)


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def pins(context: click.Context, json_: bool) -> None:
    """Entries that are shown first for a query."""
    if context.invoked_subcommand is not None:
        return
    found = ask_operation("tuning.show", SearchTuning, Nothing())
    if json_:
        print_json(found)
        return
    for pin in found.pins:
        out.print(f"[bold]{escape(pin.query)}[/bold] {' '.join(map(str, pin.entries))}")


@pins.command("set", context_settings=_CODES)
@click.argument("query")
@click.argument("entries", nargs=-1, required=True, type=click.UUID)
@as_json
def pin(query: str, entries: tuple[UUID, ...], json_: bool) -> None:
    """Show ENTRIES (ids) first, in this order, to who searches for exactly QUERY."""
    with failures():
        command = PinEntries(query=query, entries=entries, by=me())
    _changed(ask_operation("tuning.pin", TuningChanged, command), json_)


@pins.command("rm", context_settings=_CODES)
@click.argument("query")
@as_json
def unpin(query: str, json_: bool) -> None:
    """Show what fits best for QUERY again."""
    with failures():
        command = Unpin(query=query, by=me())
    _changed(ask_operation("tuning.unpin", TuningChanged, command), json_)


def _changed(done: TuningChanged, json_: bool) -> None:
    if json_:
        print_json(done)
    else:
        out.print("Done. Searches use it in about a second.")
