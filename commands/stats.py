"""What was searched and found, and what helped: stats."""

from datetime import datetime
from typing import Any
from uuid import UUID

import click
import orjson
from click.core import ParameterSource
from rich.markup import escape
from rich.table import Table

from commands.base import err, failures, out, talk
from commands.charts import Chart
from commands.shapes import NOTHING, RATES, Shape, cell, format_, show, table
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


class Time(click.ParamType[datetime]):
    """As `when` reads it."""

    name = "when"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        return value if isinstance(value, datetime) else when(value)


since = click.option("--since", type=Time(), help="90m, 7d, 4w or a date; by default 30d.")
until = click.option("--until", type=Time(), help="By default now.")
zone = click.option("--zone", default="UTC", show_default=True, help="Where days begin.")
category = click.option("--category", help="Exactly this one, without its parts.")
tag = click.option("--tag")
limit = click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000))


#: What the main charts draw.
BY_DAY = Chart("searches by day", "day", ("searches", "empty", "viewed", "worked", "failed"), True)
QUERIES: dict[str, tuple[str, ...]] = {
    "popular": ("searches", "empty", "clicked"),
    "rising": ("rise", "searches"),
    "unanswered": ("empty", "searches"),
    "unclicked": ("searches", "clicked"),
}
ENTRIES: dict[str, tuple[str, ...]] = {
    "popular": ("used", "shown", "worked", "failed"),
    "best": ("sure", "worked", "failed"),
    "stale": ("usage", "failed"),
}

#: What it means that a list is empty which is none of events.
NONE = {
    "unfound": "No such entry: each is younger than a week, or a search has shown it.",
    "stale": "No such entry: each was changed within the last 180 days.",
}


@click.group(invoke_without_command=True)
@since
@until
@zone
@category
@format_
@click.pass_context
def stats(context: click.Context, /, shape: Shape, **period: Any) -> None:
    """What was searched and found, and what helped; alone it shows the numbers of a period."""
    if context.invoked_subcommand is not None:
        _refuse_misplaced(context)
        return
    answer = _ask("analytics_answers", "dashboard", AskDashboard, **period)
    if period["category"] is not None and answer["category"] is None:
        err.print(f"[yellow]No category {escape(period['category'])} is known.[/yellow]")
    if shape == "table":
        _show_dashboard(answer)
    else:
        show(answer, shape, BY_DAY)


@stats.command()
@click.argument("which", type=click.Choice([one.value for one in QueryList]), default="popular")
@since
@until
@limit
@format_
def queries(which: str, shape: Shape, **period: Any) -> None:
    """Queries: popular, rising, unanswered (nothing found), unclicked (nothing taken)."""
    chart = Chart(f"queries, {which}", "query", QUERIES[which])
    show(_ask("analytics_lists", "queries", ListQueries, list=which, **period), shape, chart)


@stats.command()
@click.argument("which", type=click.Choice([one.value for one in EntryList]), default="popular")
@since
@until
@category
@tag
@limit
@format_
def entries(which: str, shape: Shape, **period: Any) -> None:
    """Entries: popular, best (rated), unfound (by no search), stale (unchanged for half a year).

    A period narrows popular and best ones.
    """
    chart = Chart(f"entries, {which}", "title", ENTRIES[which]) if which in ENTRIES else None
    answer = _ask("analytics_lists", "entries", ListUsedEntries, list=which, **period)
    show(answer, shape, chart, NONE.get(which, NOTHING))


@stats.command()
@click.argument("entry_id", type=click.UUID)
@since
@until
@format_
def entry(entry_id: UUID, shape: Shape, **period: Any) -> None:
    """What happened to one entry."""
    answer = _ask("analytics_lists", "entry", AskEntry, id=entry_id, **period)
    if shape == "table":
        out.print(f"[bold]{escape(answer['title'])}[/bold]")
        names = ("usage", "success", "failure", "success_rate", "mean_rating", "shown")
        out.print(
            ", ".join(f"{name.replace('_', ' ')} {cell(name, answer[name])}" for name in names)
        )
        for comment in answer["comments"]:
            out.print(f"[dim]{comment['at'][:10]}[/dim] {escape(comment['comment'])}")
    numbers = ("used", "shown", "worked", "failed")
    show(answer, shape, Chart(answer["title"], "day", numbers, over_time=True))


@stats.command()
@click.option("--before", type=Time(), help="Only what was before.")
@limit
@format_
def activity(shape: Shape, **spec: Any) -> None:
    """What happened last."""
    show(_ask("analytics_lists", "activity", AskActivity, **spec), shape, None)


@stats.command()
@since
@until
@zone
@click.option("--by", type=click.Choice(["hour", "day", "week", "month"]), default="day")
@format_
def latency(shape: Shape, **period: Any) -> None:
    """How long searches took, in ms."""
    chart = Chart("search, ms", period["by"], ("p99", "p90", "p50"), over_time=True)
    show(_ask("analytics_answers", "latency", AskLatency, **period), shape, chart)


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
def report(shape: Shape, **spec: Any) -> None:
    """One metric, grouped and narrowed: `report success_rate --by category --since 12w`."""
    by, metric = spec["by"], spec["metric"]
    over_time = by in ("hour", "day", "week", "month")
    chart = Chart(f"{metric.replace('_', ' ')} by {by}", by, (metric,), over_time)
    show(_ask("analytics_answers", "report", AskReport, **spec), shape, chart)


def _refuse_misplaced(context: click.Context) -> None:
    """Before a command's name options are of the dashboard; the command would not hear of them."""
    for param in context.command.params:
        if param.name and context.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            command = context.invoked_subcommand
            raise click.UsageError(f"Options of `{command}` have their place after it.", context)


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


def _show_dashboard(page: dict[str, Any]) -> None:
    now, before = page["totals"], page["before"]
    out.print(f"[bold]{page['since'][:16]} to {page['until'][:16]} UTC[/bold]")
    if page["entries"] is None:
        about = escape(page["category"] or "One category")
        out.print(f"{about} only: entries, latency and queries are counted of all categories.")
    else:
        out.print(f"entries {page['entries']}, archived {page['archived']}")
    names = ("searches", *RATES, "reciprocal_rank", "viewed", "worked", "failed", "created")
    numbers = Table("", "now", "before", box=None, padding=(0, 2, 0, 0))
    for name in names:
        numbers.add_row(name.replace("_", " "), cell(name, now[name]), cell(name, before[name]))
    for name, milliseconds in (page["latency_ms"] or {}).items():
        numbers.add_row(f"{name}, ms", cell(name, milliseconds), "")
    if now["dropped"]:
        numbers.add_row("events dropped", cell("dropped", now["dropped"]), "")
    out.print(numbers)
    for title in ("popular_queries", "unanswered_queries", "popular_entries"):
        if rows := page[title]:
            out.print(f"\n[bold]{title.replace('_', ' ')}[/bold]")
            table([{k: v for k, v in row.items() if k != "rise"} for row in rows])
