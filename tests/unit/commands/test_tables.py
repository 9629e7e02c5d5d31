"""Tables: in a file nothing is cut; in a narrow terminal never an id."""

import pytest
from rich.markup import escape

from commands.base import out
from commands.tables import Column, print_table

ID = "01999c53-0000-7000-8000-000000000001"
TITLE = "DB2 [-805] package not found " * 20
COLUMNS = (
    Column("id"),
    Column("category", spare=2),
    Column("worked", right=True, spare=1),
    Column("title", text=True),
)
ROWS = [
    (ID, "Db2 for z/OS", "12", escape(TITLE)),
    (ID[:-1] + "2", "CICS", "3", "short"),
]


def test_in_a_file_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """However long: a script reads it."""
    print_table(COLUMNS, ROWS)
    said = capsys.readouterr()
    head, first, second = said.out.splitlines()
    assert head.split() == ["id", "category", "worked", "title"]
    assert first.split(maxsplit=1)[0] == ID and first.rstrip().endswith(TITLE.rstrip())
    assert second.split() == [ID[:-1] + "2", "CICS", "3", "short"]
    assert said.err == ""
    out.print("x " * 1_000)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_in_a_terminal_lesser_columns_go_and_texts_are_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there was no room for is named."""
    monkeypatch.setenv("COLUMNS", "80")
    print_table(COLUMNS, ROWS)
    said = capsys.readouterr()
    head, first, _ = said.out.splitlines()
    assert head.split() == ["id", "worked", "title"]
    assert first.split()[:2] == [ID, "12"] and first.rstrip().endswith("…")
    assert len(first) <= 80
    assert said.err == "No room for: category.\n"


def test_an_id_is_folded_where_not_even_it_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A narrow window shows all of it, on two lines."""
    monkeypatch.setenv("COLUMNS", "40")
    print_table(COLUMNS, ROWS[:1])
    cells = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert "".join(cells) == ID
