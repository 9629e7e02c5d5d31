"""Tables that fit: an id is never cut, a text is, and before it gets too short lesser columns go.

In a file nothing is cut.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from commands.base import err, out

LEAST = 20  # characters of a text that are shown before it is cut shorter than that
GAP = 2  # characters between columns


class Column(NamedTuple):
    """A column: its head, and what becomes of it where there is no room.

    text: it is cut; others are whole
    spare: the one with most goes first; with 0 it stays
    """

    name: str
    right: bool = False
    text: bool = False
    spare: int = 0


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows of cells in markup, as wide as the terminal is."""
    cells = [[Text.from_markup(cell) for cell in row] for row in rows]
    widths = [
        max(Text(column.name).cell_len, *(row[place].cell_len for row in cells), 0)
        for place, column in enumerate(columns)
    ]
    kept = _fitting(columns, widths, out.width)
    made = Table(box=None, padding=(0, GAP, 0, 0), title=title or None)
    for place in kept:
        made.add_column(
            Text(columns[place].name, no_wrap=True, overflow="ellipsis"),
            justify="right" if columns[place].right else "left",
            width=None if columns[place].text else widths[place],
            overflow="ellipsis" if columns[place].text else "fold",
        )
    for row in cells:
        for place in kept:
            row[place].no_wrap = columns[place].text
        made.add_row(*(row[place] for place in kept))
    out.print(made)
    gone = [column.name for place, column in enumerate(columns) if place not in kept]
    if gone:
        err.print(f"[dim]No room for: {', '.join(gone)}.[/dim]", soft_wrap=True)


def _fitting(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The places of those that are shown."""
    needed = [
        min(width, LEAST) if column.text else width
        for column, width in zip(columns, widths, strict=True)
    ]
    kept = list(range(len(columns)))
    for place in sorted(kept, key=lambda place: -columns[place].spare):
        if sum(needed[one] + GAP for one in kept) <= room or not columns[place].spare:
            break
        kept.remove(place)
    return kept
