"""Which files an argument names: itself, what a pattern matches, what a folder holds."""

import glob
import os
from pathlib import Path

from contracts.errors import SourceUnreadable
from pipelines.formats.compression import PACKINGS
from pipelines.formats.rows import EXTENSIONS

STDIN = "-"


def files_of(arguments: tuple[str, ...]) -> list[str]:
    """The files to read, each once; those of a pattern or a folder are sorted by path.

    A pattern may say `**` for any depth; of a folder the files count that have an extension which
    we know. `-` stays as it is. Raises: SourceUnreadable for an argument that names nothing.
    """
    found: dict[str, None] = {}
    for argument in arguments:
        found |= dict.fromkeys([STDIN] if argument == STDIN else _named(argument))
    return list(found)


def _named(argument: str) -> list[str]:
    path = Path(argument)
    if path.is_dir():
        names = [str(file) for file in path.rglob("*") if known(file.name)]
        kind = "has no file that the importer knows by its extension"
    elif path.exists() or not glob.has_magic(argument):
        names, kind = [argument], "is not a readable file"
    else:
        names, kind = glob.glob(argument, recursive=True), "matches no file"  # noqa: PTH207
    files = sorted(name for name in names if Path(name).is_file() and os.access(name, os.R_OK))
    if not files:
        raise SourceUnreadable(f"{argument} {kind}.")
    return files


def known(name: str) -> bool:
    """Whether the importer knows files that are called so, packed or not."""
    name = name.lower()
    for packing in PACKINGS:
        name = name.removesuffix(packing.extension)
    return name.endswith(tuple(EXTENSIONS))
