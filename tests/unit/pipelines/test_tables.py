"""Rows as CSV: every name once, and nothing that a spreadsheet would run."""

import csv
import io

from pipelines.tables import to_csv


def test_rows_under_the_names_of_all() -> None:
    """What a row lacks is empty there; what needs quotes has them."""
    text = to_csv([{"query": 'a "b", c', "n": 1}, {"query": "two\nlines", "more": None}])
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["query", "n", "more"], ['a "b", c', "1", ""], ["two\nlines", "", ""]]


def test_no_cell_is_a_formula() -> None:
    """A code is none: -805 is a number to a spreadsheet."""
    texts = ("=1+1", "+cmd", "@sum", "-1+cmd|' /C calc'!A0", "\tx", "-805", "S0C7", "a=b")
    cells = [row[0] for row in csv.reader(io.StringIO(to_csv([{"q": text} for text in texts])))]
    kept = ["'=1+1", "'+cmd", "'@sum", "'-1+cmd|' /C calc'!A0", "'\tx", "-805", "S0C7", "a=b"]
    assert cells == ["q", *kept]


def test_no_rows() -> None:
    """An empty answer is an empty table."""
    assert to_csv([]) == ""
