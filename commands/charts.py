"""Answers as charts: bars in the terminal, or a file for a page or a ticket."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.bar import Bar
from rich.console import RenderableType
from rich.table import Table

from commands.base import Failure, plain

KINDS = (".svg", ".png")
WIDTH = 40  # columns of the longest bar
SAID = 60  # characters of a label in the terminal
DRAWN = 40  # and in a file
MOST = 60  # bars in a file; a line may have more points
INCHES = 9.0


class Chart(NamedTuple):
    """What of an answer's rows is drawn: by which column, and which numbers, the main one first."""

    title: str
    by: str
    numbers: tuple[str, ...]
    over_time: bool = False


def bars(chart: Chart, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A bar a row for the main number, with the others beside it."""
    main = chart.numbers[0]
    most = max((_number(row.get(main)) for row in rows), default=0.0)
    names = (name.replace("_", " ") for name in chart.numbers)
    table = Table(chart.by, "", *names, box=None, padding=(0, 1, 0, 0), title=chart.title)
    table.title_justify = "left"
    for row in rows:
        bar = Bar(most, 0, _number(row.get(main)), width=WIDTH)
        said = (_said(row.get(name)) for name in chart.numbers)
        table.add_row(plain(_label(chart, row, SAID)), bar, *said)
    return table


def draw(chart: Chart, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a chart to an SVG or PNG file, which appears whole or not at all.

    Raises: Failure where matplotlib is missing, or the file can't be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        told = (
            "Charts as files need matplotlib: pip install 'casebook[plot]'. --plot needs nothing."
        )
        raise Failure(told, "PLOT_MISSING", 2) from None
    rows = rows if chart.over_time else rows[:MOST]
    height = INCHES / 2 if chart.over_time else 1.0 + 0.28 * max(4, len(rows))
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    # The same answer is the same file; letters that no font here has are no reason to warn.
    with rc_context({"svg.hashsalt": "casebook"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(INCHES, height), layout="constrained")
        (_lines if chart.over_time else _columns)(figure.add_subplot(), chart, rows)
        kind = path.suffix.lower().removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        try:
            figure.savefig(staged, format=kind, dpi=144, metadata=metadata)
            staged.replace(path)
        except OSError as error:
            raise Failure(f"{path} can't be written: {error}", "OUTPUT_UNWRITABLE", 2) from None
        finally:
            staged.unlink(missing_ok=True)


def _lines(axes: Any, chart: Chart, rows: Sequence[Mapping[str, Any]]) -> None:
    places = range(len(rows))
    for name in chart.numbers:
        values = [float("nan") if row.get(name) is None else float(row[name]) for row in rows]
        axes.plot(
            places, values, label=name.replace("_", " "), marker="." if len(rows) < 50 else ""
        )
    step = max(1, len(rows) // 8)
    labels = [_label(chart, row, DRAWN) for row in rows[::step]]
    axes.set_xticks(places[::step], labels, rotation=30, ha="right")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    axes.set_title(chart.title, loc="left")


def _columns(axes: Any, chart: Chart, rows: Sequence[Mapping[str, Any]]) -> None:
    places, main = range(len(rows)), chart.numbers[0]
    axes.barh(places, [_number(row.get(main)) for row in rows])
    # Somebody's text: a dollar begins no formula.
    axes.set_yticks(places, [_label(chart, row, DRAWN) for row in rows], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel(main.replace("_", " "))
    axes.set_title(chart.title, loc="left")


def _label(chart: Chart, row: Mapping[str, Any], most: int) -> str:
    """One line: what no line may hold is left out."""
    text = "".join(c if c.isprintable() else " " for c in str(row.get("title") or row[chart.by]))
    return text if len(text) <= most else text[: most - 1] + "…"


def _number(value: Any) -> float:
    return float(value or 0)


def _said(value: Any) -> str:
    return "-" if value is None else f"{value:g}"
