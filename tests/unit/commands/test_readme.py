"""What README.md says of the command line."""

import re
from pathlib import Path

import cli

README = Path(__file__).parents[3] / "README.md"


def test_every_command_is_listed() -> None:
    """Under its name, once; and none that is not there."""
    listed = re.search(r"`casebook --help`: ([a-z, -]+);", README.read_text())
    assert listed is not None
    assert sorted(listed[1].split(", ")) == sorted(cli.COMMANDS)
