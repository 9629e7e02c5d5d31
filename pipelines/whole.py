"""What the streams of an import hold, and whether that is all of it."""

import io
from collections.abc import Iterable, Iterator
from typing import IO

from contracts.errors import SourceCutShort, UnsupportedFormat
from contracts.imports import ImportMode
from pipelines.formats import rows
from pipelines.formats.rows import Reading
from pipelines.formats.source import Found, Unread

Opened = tuple[str, IO[bytes] | io.RawIOBase]


def found_in(
    opened: Iterable[Opened], reading: Reading, notes: list[str], mode: ImportMode
) -> Iterator[Found]:
    """What every stream holds, and rejects where one can't be read.

    Raises: UnsupportedFormat, EncodingUnknown; SourceCutShort where a replace would take a source
    that breaks off for all that there is: `cut` then gives no chunk that the whole source would
    not give, and the import can go on from that.
    """
    for found in _each(opened, reading, notes):
        if mode is ImportMode.REPLACE and isinstance(found, Unread) and found.ends:
            raise SourceCutShort(
                f"{found.file}:{found.line} {found.message}. A replace needs the whole of its "
                "source: nothing was changed."
            )
        yield found


def _each(opened: Iterable[Opened], reading: Reading, notes: list[str]) -> Iterator[Found]:
    """A stream that is nothing we read ends the import only if it is the first: after that rows are
    stored, and the report should say so."""
    for place, (name, stream) in enumerate(opened):
        try:
            yield from rows.read(stream, name, reading, notes)
        except UnsupportedFormat as error:
            if place == 0:
                raise
            yield Unread(file=name, line=1, code=error.code, message=error.message, ends=True)
