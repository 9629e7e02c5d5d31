"""Fingerprints of entries: has a row changed, and is it the same text?"""

import hashlib
import unicodedata
from typing import Any
from uuid import UUID

import orjson

from contracts.entries import EntryFields


def _digest(data: bytes) -> UUID:
    """128 bits of BLAKE2b, in PostgreSQL's 16-byte type that has an index and a short literal."""
    return UUID(bytes=hashlib.blake2b(data, digest_size=16).digest())


def digest(fields: EntryFields) -> UUID:
    """The fingerprint of every field, exactly as written."""
    parts = (
        fields.title,
        fields.problem,
        fields.solution,
        fields.category,
        fields.severity,
        fields.tags,
        fields.custom,
    )
    return _digest(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS))


def text_digest(fields: EntryFields) -> UUID:
    """The fingerprint of title, problem and solution, blind to spacing and Unicode composition."""
    text = "\0".join(
        " ".join(unicodedata.normalize("NFC", part).split())
        for part in (fields.title, fields.problem, fields.solution)
    )
    return _digest(text.encode())


def request_digest(body: dict[str, Any]) -> UUID:
    """The fingerprint of a request's JSON."""
    return _digest(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
