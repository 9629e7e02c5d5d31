"""What is typed as a query is no option."""

import click
import pytest

from commands.search import search, suggest


@pytest.mark.parametrize("typed", ["-80", "-805", "-word", "-h"])
@pytest.mark.parametrize("command", [search, suggest], ids=lambda command: command.name)
def test_a_sign_begins_no_option(command: click.Command, typed: str) -> None:
    """A code or a word with a minus is taken as it stands, without `--` before it."""
    found = command.make_context(command.name, [typed, "--limit", "3"]).params
    assert [found["limit"], *map("".join, [found.get("query") or found.get("typed")])] == [3, typed]
