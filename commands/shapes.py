"""How an answer's rows are printed: as a table, JSON, CSV, bars, or a chart in a file."""

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from rich.markup import escape

from commands.base import Failure, err, out, print_json
from commands.charts import KINDS, Chart, bars, draw
from commands.tables import Column, print_table

F = TypeVar("F", bound=Callable[..., Any])

Shape = str | Path

WHAT = ("id", "entry_id", "kind")
TEXTS = ("title", "comment", "query")
NOTHING = "Nothing is counted there. Events are counted once a minute."
RATES = ("success_rate", "click_through", "empty_rate")


SHAPES = click.Choice(["table", "json", "csv", "plot"])


def _chart_file(context: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in KINDS:
        raise click.BadParameter(f"a chart is a file named *{' or *'.join(KINDS)}")
    return path


def format_(command: F) -> F:
    """How the answer is printed; the command is given `shape`, which is a path for a chart file."""

    @functools.wraps(command)
    def shaped(*arguments: Any, to: Path | None, shape: str, **options: Any) -> Any:
        return command(*arguments, shape=to or shape, **options)

    options = (
        click.option("--format", "shape", type=SHAPES, default="table", show_default=True),
        click.option("--json", "shape", flag_value="json", help="As --format json."),
        click.option("--plot", "shape", flag_value="plot", help="Bars in the terminal."),
        click.option(
            "--to",
            type=click.Path(path_type=Path, dir_okay=False),
            callback=_chart_file,
            help="A chart as FILE.svg or FILE.png; needs casebook[plot].",
        ),
    )
    for option in reversed(options):
        shaped = option(shaped)
    return cast(F, shaped)


def show(answer: dict[str, Any], shape: Shape, chart: Chart | None, none: str = NOTHING) -> None:
    """Print an answer in the shape that was asked for; a chart of None can't be drawn.

    none: what it means that there are no rows
    Raises: Failure.
    """
    if chart is None and (shape == "plot" or isinstance(shape, Path)):
        raise Failure("There is no number in it to draw.", "NOTHING_TO_DRAW", 2)
    if chart is not None and isinstance(shape, Path):
        draw(chart, answer["rows"], shape)
        err.print(f"[dim]{escape(str(shape))}[/dim]", soft_wrap=True)
    elif shape == "json":
        print_json(answer)
    elif shape == "csv":
        from pipelines.tables import to_csv

        sys.stdout.write(to_csv(answer["rows"]))
        if not answer["rows"]:
            err.print(none)
    elif not answer["rows"]:
        out.print(none)
    elif chart is not None and shape == "plot":
        out.print(bars(chart, answer["rows"]))
    else:
        table(answer["rows"], chart.numbers if chart else ())


def table(rows: list[dict[str, Any]], first: Sequence[str] = ()) -> None:
    """A line for each row, a column for each name that has a value in any; texts stand last.

    In a narrow terminal the first column, texts and the numbers of `first` stay longest.
    """
    named = dict.fromkeys(name for row in rows for name, one in row.items() if one is not None)
    names = sorted(named, key=lambda name: name in TEXTS)
    stay = (*names[:1], *TEXTS, *WHAT)
    columns = [
        Column(
            name.replace("_", " "),
            text=name in TEXTS,
            spare=0 if name in stay else place + (0 if name in first else len(names)),
        )
        for place, name in enumerate(names)
    ]
    print_table(columns, ([cell(name, row.get(name)) for name in names] for row in rows))


def cell(name: str, value: Any) -> str:
    """One number or text, in markup."""
    if value is None:
        return "-"
    if name in RATES:
        return f"{value:.1%}"
    if name == "at" or name.endswith("_at"):
        return f"{value[:19].replace('T', ' ')}Z"  # to the second, of UTC
    if isinstance(value, float):
        return f"{value:g}"
    return escape(str(value))
