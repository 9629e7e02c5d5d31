"""Named SQL: `sql/entries.sql` holds `-- name: get`, which is `statement("entries.get")`."""

import re
from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> bytes:
    """The statement called `room.name`. Raises KeyError for a name that no file has."""
    room, _, short = name.partition(".")
    return _room(room)[short]


@cache
def _room(room: str) -> dict[str, bytes]:
    text = files("storage.postgres").joinpath("sql", f"{room}.sql").read_text()
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: body.strip().rstrip(";").encode()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
