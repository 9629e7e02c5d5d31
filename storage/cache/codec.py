"""A value as the bytes that are kept: a frame with its format's version and a checksum.

    b"cb" | version | flags | CRC-32 of the rest | length of the head | head (JSON) | body

Bodies above PACK_ABOVE bytes are packed with zstd where that makes them smaller.
"""

import struct
import sys
import zlib
from types import MappingProxyType

import orjson

from storage.cache.layer import NOTHING, Kept

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"cb"
VERSION = 1
PACK_ABOVE = 1024  # bytes
PACK_LEVEL = 1  # answers are JSON: higher levels gain little and take their time
#: A body is a reply at most (4 MiB); what claims to unpack to more is damaged.
MAX_BODY = 8 * 1024 * 1024

_FRONT = struct.Struct(">2sBBII")
_CHECKED = 8  # the checksum covers what stands behind it, begun with version and flags
_PACKED = 1


class Corrupt(Exception):
    """These bytes are no frame, or a damaged one."""


class Outdated(Exception):
    """This frame is of another version of the format."""


def encode(kept: Kept) -> bytes:
    """The frame of a value. Raises TypeError where `meta` is not fit for JSON."""
    flags, body = 0, kept.body
    if len(body) > PACK_ABOVE:
        packed = zstd.compress(body, PACK_LEVEL)
        if len(packed) < len(body):
            flags, body = _PACKED, packed
    head = orjson.dumps([kept.position, kept.made_at, kept.tags, dict(kept.meta)])
    rest = len(head).to_bytes(4, "big") + head + body
    return _FRONT.pack(MAGIC, VERSION, flags, _sum(flags, rest), len(head)) + head + body


def decode(frame: bytes) -> Kept:
    """The value of a frame. Raises Corrupt or Outdated."""
    if len(frame) < _FRONT.size:
        raise Corrupt("too short")
    magic, version, flags, checksum, length = _FRONT.unpack_from(frame)
    if magic != MAGIC:
        raise Corrupt("not a frame")
    if version != VERSION:
        raise Outdated(f"version {version}")
    if _sum(flags, memoryview(frame)[_CHECKED:]) != checksum:
        raise Corrupt("the checksum does not fit")
    try:
        position, made_at, tags, meta = orjson.loads(frame[_FRONT.size : _FRONT.size + length])
        body = _unpacked(frame[_FRONT.size + length :], flags)
    except (ValueError, zstd.ZstdError) as error:
        raise Corrupt(str(error)) from None
    # An empty `meta` is the one that all share: most have none.
    return Kept(body, position, made_at, tuple(tags), MappingProxyType(meta) if meta else NOTHING)


def _sum(flags: int, rest: bytes | memoryview) -> int:
    return zlib.crc32(rest, flags)


def _unpacked(body: bytes, flags: int) -> bytes:
    if not flags & _PACKED:
        return body
    unpacker = zstd.ZstdDecompressor()
    found = unpacker.decompress(body, MAX_BODY + 1)
    if len(found) > MAX_BODY or not unpacker.eof:
        raise Corrupt("it does not end within its bound")
    return found
