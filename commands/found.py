"""What a search found, for a person: tables of hits, groups, counts and explanations."""

from collections.abc import Iterable
from typing import get_args

from commands.base import err, out, plain
from commands.tables import Column, print_table
from contracts.search import FacetValue, SearchHit, SearchReply
from contracts.selection import Facet, GroupKey, ShownField, Sort

FACETS, GROUPS, FIELDS, SORTS = map(get_args, (Facet, GroupKey, ShownField, Sort))


def show_found(reply: SearchReply) -> None:
    """The page of hits, or the groups, and what was asked for beside them."""
    for group in reply.groups:
        _table(group.hits, 1, f"{plain(group.name)}: {group.total}")
    if reply.hits:
        first = reply.offset + 1
        shown = f"{first}-{first + len(reply.hits) - 1} of {reply.total}"
        _table(reply.hits, first, shown)
    for hit in reply.hits:
        if hit.explanation:
            out.print(f"\n{plain(hit.title)}\n  {plain(hit.explanation.text)}", soft_wrap=True)
    for name, values in reply.facets.items():
        out.print(f"\n[bold]{name}[/bold]")
        _counts(values, 1)


def show_reading(reply: SearchReply) -> None:
    """How the query was read and what may have been meant, beside what a script reads."""
    read = plain(" ".join(reply.interpreted_as.split()))
    err.print(f"[dim]searched for: {read}[/dim]", soft_wrap=True)
    if reply.did_you_mean:
        asked = plain(" ".join(reply.did_you_mean.split()))
        err.print(f"[yellow]did you mean:[/yellow] {asked}", soft_wrap=True)


def _table(hits: Iterable[SearchHit], first: int, title: str) -> None:
    columns = (
        Column(""),
        Column("title", text=True),
        Column("category", spare=1),
        Column("severity", spare=2),
        Column("id"),
    )
    rows = []
    for place, hit in enumerate(hits, first):
        about = (plain(hit.title), plain(hit.category), hit.severity.value, str(hit.id))
        rows.append((str(place), *about))
    print_table(columns, rows, title)


def _counts(values: Iterable[FacetValue], depth: int) -> None:
    for value in values:
        out.print(f"{'  ' * depth}{plain(value.name)}  [dim]{value.count}[/dim]")
        _counts(value.children, depth + 1)
