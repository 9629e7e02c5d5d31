"""Which files an argument names: itself, what a pattern matches, what a folder holds."""

import glob
import os
import re
from pathlib import Path

from contracts.errors import SourceUnreadable
from pipelines.formats.compression import bare
from pipelines.formats.rows import EXTENSIONS

STDIN = "-"

#: Of a folder that `casebook watch` looks after: where files go, and what it remembers.
DONE, FAILED = "done", "failed"
JOURNAL, LOCK = ".casebook.json", ".casebook.lock"

#: Beside a folder's entries: what is about it, and the codes that the entries may name.
README, CODES = "readme.md", "codes.tsv"

TOLD = re.compile(r"\\x([89a-f][0-9a-f])")  # a byte

MARKDOWN = (".md", ".markdown")


def files_of(arguments: tuple[str, ...]) -> list[str]:
    """The files to read, each once; those of a pattern or a folder are sorted by path.

    A pattern may say `**` for any depth; of a folder the files count that `of_folder` finds. `-`
    stays as it is. Raises: SourceUnreadable for an argument that names nothing.
    """
    found: dict[str, None] = {}
    for argument in arguments:
        found |= dict.fromkeys([STDIN] if argument == STDIN else _named(argument))
    return list(found)


def _named(argument: str) -> list[str]:
    path = Path(argument)
    if path.is_dir():
        names = [str(file) for file in of_folder(path)]
        kind = "has no file that the importer knows by its extension"
    elif path.exists() or not glob.has_magic(argument):
        names, kind = [argument], "is not a readable file"
    else:
        names, kind = glob.glob(argument, recursive=True), "matches no file"  # noqa: PTH207
    files = sorted(name for name in names if Path(name).is_file() and os.access(name, os.R_OK))
    if not files:
        raise SourceUnreadable(f"{argument} {kind}.")
    return [_with_folder(file) for file in files]


def of_folder(folder: Path) -> list[Path]:
    """What a folder holds for the importer, at all depths, sorted by path.

    Hidden files, a README and a list of codes are none of it, nor what `casebook watch` put away.
    """
    found = []
    for place, folders, names in os.walk(folder):
        here = Path(place)
        watched = {DONE, FAILED} if {JOURNAL, LOCK} & set(names) else set()
        folders[:] = [name for name in folders if not name.startswith(".") and name not in watched]
        found += [here / name for name in names if is_source(name)]
    return sorted(found)


def is_source(name: str) -> bool:
    """Whether a file of a folder that is called so holds entries."""
    return not name.startswith(".") and name.lower() not in (README, CODES) and known(name)


def _with_folder(name: str) -> str:
    """An entry's file is known by its folder too, also where that is the present one."""
    path = Path(name)
    if path.suffix.lower() in MARKDOWN and path.parent.name in ("", ".."):
        return str(path.resolve())
    return name


def told(name: str) -> str:
    """A name that can be told: bytes that are no UTF-8, as old servers write them, as `\\xe9`."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def untold(text: str) -> str:
    """The name that `told` was given. One that has such a text in it comes back as another."""
    return TOLD.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), text)


def known(name: str) -> bool:
    """Whether the importer knows files that are called so, packed or not."""
    return bare(name).lower().endswith(tuple(EXTENSIONS))
