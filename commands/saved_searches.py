"""Searches that are saved: `casebook searches`."""

from uuid import UUID

import click
from rich.markup import escape

from commands.base import as_json, ask_operation, err, failures, me, out, plain, print_json
from commands.tables import Column, print_table
from commands.when import shown
from contracts.base import Nothing
from contracts.saved_searches import (
    ListMatches,
    RemoveSearch,
    SavedMatches,
    SavedSearches,
    SaveSearch,
    SearchRemoved,
    SearchSaved,
)


@click.group()
def searches() -> None:
    """Searches that are saved: each entry that comes to fit one raises an event."""


@searches.command("save", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("query")
@click.option("--category", multiple=True, help="Only there and below.")
@click.option("--webhook", default="", metavar="URL", help="Post matches to it, signed.")
@as_json
def save(name: str, query: str, category: tuple[str, ...], webhook: str, json_: bool) -> None:
    """Save QUERY as NAME, in place of what had that name; it matches what comes from now on."""
    with failures():
        command = SaveSearch(name=name, query=query, category=category, webhook=webhook, by=me())
    done = ask_operation("saved_searches.save", SearchSaved, command)
    print_json(done) if json_ else out.print(f"Saved as {escape(done.name)}.")
    err.print(f"[dim]an entry has to fit: {plain(done.interpreted_as)}[/dim]", soft_wrap=True)


@searches.command("list")
@as_json
def list_(json_: bool) -> None:
    """Show them all, and how many matches each has."""
    found = ask_operation("saved_searches.list_all", SavedSearches, Nothing())
    if json_:
        print_json(found)
        return
    columns = (
        Column("name"),
        Column("query", text=True),
        Column("category", spare=1),
        Column("matches", right=True),
    )
    rows = []
    for one in found.searches:
        where = ", ".join(one.category)
        rows.append((escape(one.name), plain(one.query), plain(where), f"{one.matches:,}"))
    print_table(columns, rows)


@searches.command("rm")
@click.argument("name")
@as_json
def rm(name: str, json_: bool) -> None:
    """Forget NAME and its matches."""
    with failures():
        command = RemoveSearch(name=name, by=me())
    done = ask_operation("saved_searches.remove", SearchRemoved, command)
    print_json(done) if json_ else out.print(f"{escape(done.name)} is gone.")


@searches.command("matches")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--cursor", type=click.UUID, help="Where the page before ended.")
@as_json
def matches(name: str, limit: int, cursor: UUID | None, json_: bool) -> None:
    """Show what came to fit NAME, the newest first."""
    with failures():
        request = ListMatches(name=name, limit=limit, cursor=cursor)
    found = ask_operation("saved_searches.matches", SavedMatches, request)
    if json_:
        print_json(found)
        return
    for one in found.matches:
        title = plain(one.title) if one.title is not None else "[dim](gone)[/dim]"
        out.print(f"{shown(one.at)}  {one.entry_id}  {title}")
    if found.next_cursor:
        out.print(f"[dim]more: --cursor {found.next_cursor}[/dim]", soft_wrap=True)
