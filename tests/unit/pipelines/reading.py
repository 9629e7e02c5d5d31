"""What a source gives, for the tests of formats."""

import io
from typing import Any

from contracts.imports import Reject
from pipelines.formats.rows import make_reading, read
from pipelines.formats.source import Found, SourceRow


def found(data: bytes, name: str = "rows", kind: Any = "auto", **options: Any) -> list[Found]:
    """Everything in `data`."""
    return list(read(io.BytesIO(data), name, make_reading(kind, **options), []))


def rows(data: bytes, name: str = "rows", kind: Any = "auto", **options: Any) -> list[Any]:
    """The rows in `data`, which must have no rejects."""
    taken = []
    for one in found(data, name, kind, **options):
        assert isinstance(one, SourceRow), one
        taken.append(one.data)
    return taken


def codes(data: bytes, name: str = "rows", kind: Any = "auto", **options: Any) -> list[Any]:
    """Line and code of each reject in `data`."""
    everything = found(data, name, kind, **options)
    return [(one.line, one.code) for one in everything if isinstance(one, Reject)]


def titles(data: bytes, name: str = "rows", kind: Any = "auto", **options: Any) -> list[Any]:
    """Each row's title, and each reject's code, in order."""
    return [
        one.data.get("title") if isinstance(one, SourceRow) else one.code
        for one in found(data, name, kind, **options)
    ]


def notes(data: bytes, name: str = "rows.csv") -> list[str]:
    """What was assumed of `data`."""
    said: list[str] = []
    list(read(io.BytesIO(data), name, make_reading(), said))
    return said
