"""gzip, bz2, xz and zstd, told by their first bytes and unpacked a piece at a time."""

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from pipelines.formats.source import Ahead

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 64 * 1024  # bytes read at once
#: Bytes that a stream may ask for to be unpacked: `zstd --ultra -22` and `xz -9` are within it.
WINDOW = 128 * 1024 * 1024


class _Gzip:
    """zlib with the interface that the other three share."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class Packing(NamedTuple):
    """One compression: how it begins, how its files are called, what unpacks it."""

    magic: bytes
    extension: str
    unpacker: Callable[[], Any]


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=WINDOW)


def _zstd() -> Any:
    limit = {int(zstd.DecompressionParameter.window_log_max): WINDOW.bit_length() - 1}
    return zstd.ZstdDecompressor(options=limit)


PACKINGS = (
    Packing(b"\x1f\x8b", ".gz", _Gzip),
    Packing(b"BZh", ".bz2", bz2.BZ2Decompressor),
    Packing(b"\xfd7zXZ\0", ".xz", _xz),
    Packing(b"\x28\xb5\x2f\xfd", ".zst", _zstd),
    Packing(b"\x50\x2a\x4d\x18", ".zst", _zstd),  # a frame to be skipped: pzstd begins with one
)


class Unpacked(io.RawIOBase):
    """What a compressed stream holds, all members of it; at most one piece is in memory.

    Reading raises OSError where it is damaged and EOFError where it was cut.
    """

    def __init__(self, stream: Ahead, packing: Packing) -> None:
        self._stream = stream
        self._packing = packing
        self._unpacker = packing.unpacker()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._next(len(buffer))
        except (zlib.error, lzma.LZMAError, zstd.ZstdError) as error:
            raise OSError(f"{self._packing.extension}: {error}") from error
        buffer[: len(piece)] = piece
        return len(piece)

    def _next(self, most: int) -> bytes:
        ended = False
        while True:
            data = b""
            if self._unpacker.eof:
                data = self._next_member()
                if not data:
                    return b""
                if not self._continues(data):
                    end = f"behind the end of the {self._packing.extension} data"
                    raise OSError(f"{end}, which was read whole, stands something else")
                self._unpacker = self._packing.unpacker()
            elif self._unpacker.needs_input:
                data = self._stream.read(PIECE) or b""
                ended = not data
            piece: bytes = self._unpacker.decompress(data, most)
            if piece:
                return piece
            if ended and not self._unpacker.eof:
                raise EOFError(f"the {self._packing.extension} data ends in the middle")

    def _continues(self, data: bytes) -> bool:
        """Whether a member may begin so."""
        own = [one.magic for one in PACKINGS if one.extension == self._packing.extension]
        if data[0] & 0xF0 == 0x50:  # zstd has 16 kinds of frames to be skipped
            data = b"\x50" + data[1:]
        return any(data.startswith(magic[: len(data)]) for magic in own)

    def _next_member(self) -> bytes:
        """The beginning of what follows; zeros are padding."""
        data: bytes = self._unpacker.unused_data.lstrip(b"\0")
        while not data:
            if not (data := self._stream.read(PIECE) or b""):
                return b""
            data = data.lstrip(b"\0")
        return data


def unpacked(stream: Ahead) -> Ahead:
    """The stream itself, or what it holds if it is compressed."""
    head = stream.head(8)
    for packing in PACKINGS:
        if head.startswith(packing.magic):
            return Ahead(Unpacked(stream, packing))
    return stream


def bare(name: str) -> str:
    """The name of what a file holds that is called so: without a compression's extension."""
    ends = (one.extension for one in PACKINGS if name.lower().endswith(one.extension))
    return name[: -len(next(ends, "")) or None]
