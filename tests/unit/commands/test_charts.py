"""Answers as charts, in the terminal and in files."""

import io
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from commands.base import Failure
from commands.charts import Chart, bars, draw
from commands.shapes import Shape, format_, show

DAYS = Chart("searches by day", "day", ("searches", "empty"), over_time=True)
QUERIES = Chart("queries, popular", "query", ("searches",))
ROWS: list[dict[str, Any]] = [
    {"day": "2026-03-01", "searches": 40, "empty": 4},
    {"day": "2026-03-02", "searches": 0, "empty": None},
    {"day": "2026-03-03", "searches": 10, "empty": 1.5},
]
#: What people typed: a formula, markup, an escape, letters of no font here, no letters.
TYPED = [
    "$x_{$",
    "[bold]a[/nothing]",
    "\x1b[31mred\nline",
    "データ \U0001f9ef",
    "",
    "&<>\"'",
    "long" * 99,
]


def printed(chart: Chart, rows: list[dict[str, Any]]) -> list[str]:
    """The lines of a chart on a terminal of 100 columns."""
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(bars(chart, rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_bars_are_as_long_as_their_numbers() -> None:
    """The largest fills its column, a quarter of it a quarter, nothing nothing."""
    lines = printed(DAYS, ROWS)[-3:]
    assert [line.count("█") for line in lines] == [40, 0, 10]
    assert [line.split()[-1] for line in lines] == ["4", "-", "1.5"]


def test_any_text_is_a_label(tmp_path: Path) -> None:
    """On a line of its own, and neither markup nor formula."""
    rows = [{"query": text, "searches": 1} for text in TYPED]
    lines = printed(QUERIES, rows)
    assert len(lines) == len(rows) + 2
    assert "[bold]a[/nothing]" in "".join(lines)
    assert "\x1b" not in "".join(lines)
    draw(QUERIES, rows, tmp_path / "chart.svg")


def test_a_chart_in_a_file(tmp_path: Path) -> None:
    """SVG and PNG, over time or not, of no row too; the same answer is the same file."""
    svg, png = tmp_path / "chart.svg", tmp_path / "chart.PNG"
    draw(DAYS, ROWS, svg)
    first = svg.read_bytes()
    assert ElementTree.fromstring(first).tag.endswith("svg")
    draw(DAYS, ROWS, svg)
    assert svg.read_bytes() == first
    draw(QUERIES, [], svg)
    assert svg.read_bytes() != first
    draw(DAYS, ROWS, png)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"chart.svg", "chart.PNG"}


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And bars in the terminal need nothing."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Failure) as refused:
        draw(DAYS, ROWS, tmp_path / "chart.svg")
    assert (refused.value.code, refused.value.exit_code) == ("PLOT_MISSING", 2)
    assert "casebook[plot]" in refused.value.message
    assert printed(DAYS, ROWS)


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """With the exit code of what could not run as asked."""
    with pytest.raises(Failure) as refused:
        draw(DAYS, ROWS, tmp_path / "nowhere" / "chart.svg")
    assert (refused.value.code, refused.value.exit_code) == ("OUTPUT_UNWRITABLE", 2)


@click.command()
@format_
def some(shape: Shape) -> None:
    """An answer of some rows."""
    show({"rows": ROWS}, shape, DAYS)


@click.command()
@format_
def listed(shape: Shape) -> None:
    """One without numbers."""
    show({"rows": ROWS}, shape, None)


def test_the_shape_is_asked_for(tmp_path: Path) -> None:
    """--plot and --to; another file is refused, and so is a chart of no numbers."""
    path = tmp_path / "chart.svg"
    run = CliRunner().invoke
    assert run(some, ["--to", str(path)]).exit_code == 0
    assert path.exists()
    assert run(some, ["--to", "chart.pdf"]).exit_code == 2
    assert run(some, ["--plot"]).exit_code == 0
    assert run(listed, ["--plot"]).exit_code == 2
    assert run(listed, ["--to", str(path)]).exit_code == 2
