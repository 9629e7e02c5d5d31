"""What was searched and found, and what helped: stats."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click
import orjson
from rich.markup import escape
from rich.table import Table

from commands.base import failures, out, print_json, talk
from commands.when import when
from contracts.analytics_answers import (
    METRICS,
    AskActivity,
    AskDashboard,
    AskEntry,
    AskLatency,
    AskReport,
    EntryList,
    ListQueries,
    ListUsedEntries,
    QueryList,
)
from contracts.base import Contract
from settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

RATES = ("success_rate", "click_through", "empty_rate")


class Time(click.ParamType[datetime]):
    """As `when` reads it."""

    name = "when"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        return value if isinstance(value, datetime) else when(value)


SHAPES = click.Choice(["table", "json", "csv"])


def format_(command: F) -> F:
    """How the answer is printed."""
    command = click.option("--json", "shape", flag_value="json", help="As --format json.")(command)
    return click.option("--format", "shape", type=SHAPES, default="table", show_default=True)(
        command
    )


since = click.option("--since", type=Time(), help="90m, 7d, 4w or a date; by default 30d.")
until = click.option("--until", type=Time(), help="By default now.")
zone = click.option("--zone", default="UTC", show_default=True, help="Where days begin.")
category = click.option("--category")
tag = click.option("--tag")
limit = click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000))


@click.group(invoke_without_command=True)
@since
@until
@zone
@category
@format_
@click.pass_context
def stats(context: click.Context, /, shape: str, **period: Any) -> None:
    """What was searched and found, and what helped; alone it shows the numbers of a period."""
    if context.invoked_subcommand is not None:
        return
    answer = _ask("analytics_answers", "dashboard", AskDashboard, **period)
    if shape == "table":
        _show_dashboard(answer)
    else:
        _show(answer, shape)


@stats.command()
@click.argument("which", type=click.Choice([one.value for one in QueryList]), default="popular")
@since
@until
@limit
@format_
def queries(which: str, shape: str, **period: Any) -> None:
    """Queries: popular, rising, unanswered (nothing found), unclicked (nothing taken)."""
    _show(_ask("analytics_lists", "queries", ListQueries, list=which, **period), shape)


@stats.command()
@click.argument("which", type=click.Choice([one.value for one in EntryList]), default="popular")
@since
@until
@category
@tag
@limit
@format_
def entries(which: str, shape: str, **period: Any) -> None:
    """Entries: popular, best (rated), unfound (by no search), stale (unchanged for half a year)."""
    _show(_ask("analytics_lists", "entries", ListUsedEntries, list=which, **period), shape)


@stats.command()
@click.argument("entry_id", type=click.UUID)
@since
@until
@format_
def entry(entry_id: UUID, shape: str, **period: Any) -> None:
    """What happened to one entry."""
    answer = _ask("analytics_lists", "entry", AskEntry, id=entry_id, **period)
    if shape == "table":
        out.print(f"[bold]{escape(answer['title'])}[/bold]")
        names = ("usage", "success", "failure", "success_rate", "mean_rating", "shown")
        out.print(
            ", ".join(f"{name.replace('_', ' ')} {_cell(name, answer[name])}" for name in names)
        )
        for comment in answer["comments"]:
            out.print(f"[dim]{comment['at'][:10]}[/dim] {escape(comment['comment'])}")
    _show(answer, shape)


@stats.command()
@click.option("--before", type=Time(), help="Only what was before.")
@limit
@format_
def activity(shape: str, **spec: Any) -> None:
    """What happened last."""
    _show(_ask("analytics_lists", "activity", AskActivity, **spec), shape)


@stats.command()
@since
@until
@zone
@click.option("--by", type=click.Choice(["hour", "day", "week", "month"]), default="day")
@format_
def latency(shape: str, **period: Any) -> None:
    """How long searches took, in ms."""
    _show(_ask("analytics_answers", "latency", AskLatency, **period), shape)


@stats.command()
@click.argument("metric", type=click.Choice([*METRICS]), metavar="METRIC")
@click.option(
    "--by",
    type=click.Choice(["hour", "day", "week", "month", "category", "tag", "entry", "query"]),
    default="day",
)
@since
@until
@zone
@category
@tag
@click.option("--entry", type=click.UUID)
@click.option("--query", help="Normalised: lower case, single spaces.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1_000))
@format_
def report(shape: str, **spec: Any) -> None:
    """One metric, grouped and narrowed: `report success_rate --by category --since 12w`."""
    _show(_ask("analytics_answers", "report", AskReport, **spec), shape)


def _ask(room: str, operation: str, contract: type[Contract], **spec: Any) -> Any:
    """The answer's JSON."""
    with failures():
        request = contract(**{name: given for name, given in spec.items() if given is not None})

    async def conversation(client: Any, settings: Settings) -> bytes:
        from importlib import import_module

        from pipelines.ask import ask

        asked = getattr(import_module(f"actors.{room}"), operation)
        return await ask(client, asked, request, timeout=settings.read_timeout)

    return orjson.loads(talk(conversation))


def _show(answer: dict[str, Any], shape: str) -> None:
    if shape == "json":
        print_json(answer)
    elif shape == "csv":
        from pipelines.tables import to_csv

        sys.stdout.write(to_csv(answer["rows"]))
    elif answer["rows"]:
        _table(answer["rows"])
    else:
        out.print("Nothing is counted there. Events are counted once a minute.")


def _show_dashboard(page: dict[str, Any]) -> None:
    now, before = page["totals"], page["before"]
    out.print(f"[bold]{page['since'][:16]} to {page['until'][:16]} UTC[/bold]")
    out.print(f"entries {page['entries']}, archived {page['archived']}")
    names = ("searches", *RATES, "reciprocal_rank", "viewed", "worked", "failed", "created")
    table = Table("", "now", "before", box=None, padding=(0, 2, 0, 0))
    for name in names:
        table.add_row(name.replace("_", " "), _cell(name, now[name]), _cell(name, before[name]))
    table.add_row("latency ms", " / ".join(_cell(k, v) for k, v in page["latency_ms"].items()), "")
    if now["dropped"]:
        table.add_row("events dropped", _cell("dropped", now["dropped"]), "")
    out.print(table)
    for title in ("popular_queries", "unanswered_queries", "popular_entries"):
        if rows := page[title]:
            out.print(f"\n[bold]{title.replace('_', ' ')}[/bold]")
            _table([{k: v for k, v in row.items() if k != "rise"} for row in rows])


def _table(rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*(name.replace("_", " ") for name in names), box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(_cell(name, row.get(name)) for name in names))
    out.print(table)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name in RATES:
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:g}"
    return escape(str(value))
