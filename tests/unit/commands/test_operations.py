"""Operations that commands ask for by name."""

import re

from actors.catalogue import SHARED
from tests.support.casebook import ROOT

#: A literal, with or without a part that a variable fills in.
ASKED = re.compile(r'ask_operation\(\s*f?"(\w+)\.([\w{}]+)"')


def test_each_name_is_in_the_catalogue() -> None:
    """A name that no operation has would be noticed only by whoever runs the command."""
    texts = [path.read_text() for path in sorted((ROOT / "commands").glob("*.py"))]
    asked = {found.groups() for text in texts for found in ASKED.finditer(text)}
    assert len(asked) > 10
    known = {operation.name for operation in SHARED}
    rooms = {name.partition(".")[0] for name in known}
    for room, function in asked:
        assert f"{room}.{function}" in known or ("{" in function and room in rooms)
