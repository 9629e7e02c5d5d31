"""Where a reader of pages is: in a text that says all, so that no server has to remember.

Scores move with every change of the index, and so do the values of most sorts; an entry may go
over the place that a reader has reached, in either direction. So a cursor names the entries that
were shown, until they are SHOWN_MAX, and the next page is the best of all others: nothing comes
twice, and nothing is passed over. From then on it goes by what an entry keeps.
"""

import base64
import binascii
import struct
import zlib
from hashlib import blake2b
from typing import NamedTuple

from contracts.errors import ValidationFailed
from contracts.search import SearchQuery
from storage.index.order import Edge

SHOWN_MAX = 500  # entries that a cursor names, 6 bytes each
_MARK = (1 << 48) - 1  # of an entry's place, what tells it from others

_VERSION = 1
_HEAD = struct.Struct(">B8sBqqI")
_CHECK = struct.Struct(">I")


class Cursor(NamedTuple):
    """What was shown already, and after which value and place to go on."""

    question: bytes
    shown: frozenset[int] = frozenset()
    edge: Edge | None = None

    @property
    def full(self) -> bool:
        """Whether it names as many entries as it can."""
        return len(self.shown) >= SHOWN_MAX

    def text(self) -> str:
        """The form in which a client keeps it."""
        value, place = self.edge or (0, 0)
        here = (_VERSION, self.question, self.edge is not None, value, place, len(self.shown))
        marks = b"".join(mark.to_bytes(6) for mark in sorted(self.shown))
        data = _HEAD.pack(*here) + marks
        return base64.urlsafe_b64encode(data + _CHECK.pack(zlib.crc32(data))).decode().rstrip("=")


def mark(place: int) -> int:
    """What a cursor keeps of an entry that was shown."""
    return place & _MARK


def question(request: SearchQuery) -> bytes:
    """What makes two requests pages of one answer: the query, the filters and the order."""
    asked = (
        *(request.q, request.category, request.tag, request.severity, request.status),
        *(request.source, request.author, request.year, request.usage_from, request.usage_to),
        *(request.updated_from, request.updated_to, request.created_from, request.created_to),
        *(request.sort.removeprefix("-"), request.descending, request.profile),
        *([] if request.mode == "lexical" else [request.mode]),  # cursors outlive releases
    )
    return blake2b(repr(asked).encode("utf-8", "replace"), digest_size=8).digest()


def read(text: str, request: SearchQuery) -> Cursor:
    """The cursor in `text`. Raises: ValidationFailed if it is none, or of another search."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        (check,) = _CHECK.unpack(data[-_CHECK.size :])
        data = data[: -_CHECK.size]
        version, asked, has_edge, value, place, count = _HEAD.unpack_from(data)
        if (check, version) != (zlib.crc32(data), _VERSION):
            raise ValueError(text)
    except (ValueError, binascii.Error, struct.error):
        raise _refused("is no cursor: send `next` of the page before as it came") from None
    if asked != question(request):
        raise _refused("belongs to another search: its query, filters, sort and order must stay")
    begin = _HEAD.size
    marks = (data[at : at + 6] for at in range(begin, begin + 6 * count, 6))
    shown = frozenset(int.from_bytes(one) for one in marks)
    return Cursor(asked, shown, (value, place) if has_edge else None)


def _refused(message: str) -> ValidationFailed:
    error = {"field": "cursor", "code": "CURSOR_INVALID", "message": message}
    return ValidationFailed(f"The cursor {message}.", errors=[error])
