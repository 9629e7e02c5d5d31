"""Rows of an answer as CSV."""

import csv
import io
import re
from typing import Any

#: What a spreadsheet takes for a formula; a code such as -805 is a number to it.
FORMULA = re.compile(r"[=+@\t\r]|-(?!\d+(\.\d+)?$)")


def to_csv(rows: list[dict[str, Any]]) -> str:
    """Rows under the names of all of them, in the order in which those come.

    Text that a spreadsheet would run as a formula gets an apostrophe before it. Without rows
    there are no names either: "".
    """
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row))
    written = io.StringIO()
    writer = csv.DictWriter(written, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _harmless(cell) for name, cell in row.items()} for row in rows)
    return written.getvalue()


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell
