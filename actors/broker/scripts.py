"""The Lua scripts, each one atomic move of a message."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Script(NamedTuple):
    """A script's text and the SHA-1 by which Redis knows it once loaded."""

    text: bytes
    sha: bytes


def _text(name: str) -> bytes:
    return files("actors.broker").joinpath("lua", f"{name}.lua").read_bytes()


@cache
def script(name: str) -> Script:
    """The script in `lua/NAME.lua`, behind the functions that its first line names.

    That line is `-- with OTHER ...`: Lua in Redis has no `require`.
    """
    text = _text(name)
    first, _, _ = text.partition(b"\n")
    if first.startswith(b"-- with "):
        text = b"".join(_text(other.decode()) for other in first.split()[2:]) + text
    # SHA-1 is Redis's name for a script, not a safeguard.
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


Argument = str | bytes | int


def call(name: str, keys: tuple[str, ...], *arguments: Argument) -> tuple[Argument, ...]:
    """The EVALSHA command that runs script `name`."""
    return (b"EVALSHA", script(name).sha, len(keys), *keys, *arguments)


def load(name: str) -> tuple[Argument, ...]:
    """The command that makes script `name` known to a server that has forgotten it."""
    return (b"SCRIPT", b"LOAD", script(name).text)
