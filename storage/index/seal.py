"""JSON objects in small files that name their own checksum, so that a changed one is noticed.

The checksum is the last member, `crc`: whoever does not know it reads past it. One without it, of
a release before, is taken as it is.
"""

import zlib

_MEMBER = b',"crc":'


def seal(body: bytes) -> bytes:
    """A JSON object, with members, and its checksum in it."""
    return body[:-1] + _MEMBER + b"%d}" % zlib.crc32(body)


def unseal(data: bytes) -> bytes:
    """What `seal` was given. Raises: ValueError where it has changed since."""
    begin, found, end = data.rpartition(_MEMBER)
    if not found:
        return data
    body = begin + b"}"
    if end != b"%d}" % zlib.crc32(body):
        raise ValueError("it is not as it was written")
    return body
