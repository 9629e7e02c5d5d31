"""Named SQL: `sql/entries.sql` holds `-- name: get`, which is `statement("entries.get")`."""

import re
from functools import cache
from importlib.resources import files


@cache
def statement(name: str, where: tuple[str, ...] = ()) -> bytes:
    """The statement called `room.name`, its `{where}` filled with the room's `where_NAME` parts.

    Only the conditions that are given stand in it, so that PostgreSQL plans for those alone. It
    begins with its name, by which it is known wherever PostgreSQL shows it; that never changes, so
    it is prepared once.
    Raises KeyError for a name that no file has.
    """
    room, _, short = name.partition(".")
    parts = _room(room)
    conditions = b" and ".join(parts[f"where_{condition}"] for condition in where)
    named = f"/* casebook {name} */ ".encode()
    return named + parts[short].replace(b"{where}", conditions or b"true")


@cache
def _room(room: str) -> dict[str, bytes]:
    text = files("storage.postgres").joinpath("sql", f"{room}.sql").read_text()
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: body.strip().rstrip(";").encode()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
