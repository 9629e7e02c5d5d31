"""Who may call: `Authorization: Bearer KEY`, checked by an actor, remembered here for a while."""

import hashlib
from functools import partial
from typing import Annotated

from cachetools import TTLCache
from fastapi import Depends, Header, Request

from actors import system
from actors.broker.admission import STRANGER, arrived
from contracts.errors import Unauthorized, Unavailable
from contracts.operation import called_by
from contracts.system import KeyVerified, VerifyKey
from pipelines.ask import ask_for
from shim.backend import BackendOf

FRESH = 300  # seconds that a checked key is taken without asking again
KNOWN = 86_400  # seconds that it is still taken while the database can't be asked
MOST = 10_000  # keys

_fresh: TTLCache[str, str] = TTLCache(MOST, FRESH)
_known: TTLCache[str, str] = TTLCache(MOST, KNOWN)


async def caller(
    request: Request, backend: BackendOf, authorization: Annotated[str | None, Header()] = None
) -> str:
    """The name that the caller's key was made for. Raises: Unauthorized."""
    digest = _of(authorization)
    if digest is None:
        raise Unauthorized()
    name = _fresh.get(digest)
    if name is None:
        called_by(_known.get(digest, STRANGER))
        if backend.checks.is_going(digest):
            arrived()
        name = await backend.checks.join(digest, partial(_ask, backend, digest))
        _fresh[digest] = _known[digest] = name
    return _called(request, name)


def at_hand(request: Request) -> str | None:
    """As `caller`, for who does not wait: None where the key has to be asked for, or is none."""
    digest = _of(request.headers.get("authorization"))
    name = _fresh.get(digest) if digest else None
    return _called(request, name) if name is not None else None


def _of(authorization: str | None) -> str | None:
    """The digest of the key in a header."""
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return None
    return _digest(key.encode(errors="surrogateescape"))


def _called(request: Request, name: str) -> str:
    called_by(name)
    request.app.state.recording.signed_in(name)
    return name


def known(authorization: bytes) -> str:
    """The name of a caller whose key was checked before; STRANGER for any other."""
    return _known.get(_digest(authorization[7:]), STRANGER)  # behind "Bearer "


def _digest(key: bytes) -> str:
    return hashlib.sha256(key.strip()).hexdigest()


async def _ask(backend: BackendOf, digest: str) -> str:
    try:
        verified = await ask_for(
            KeyVerified,
            backend.client,
            system.verify_key,
            VerifyKey(digest=digest),
            timeout=backend.read_timeout,
        )
    except Unavailable:
        name: str | None = _known.get(digest)
        if name is None:
            raise
        return name
    return verified.name


#: The name of who calls; a route with it is closed to those without a key.
Caller = Annotated[str, Depends(caller)]
#: Names the write: the same again answers with the first result.
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]
