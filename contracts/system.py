"""Questions about the running system."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from contracts.base import Contract


class VerifyKey(Contract):
    """Ask whose API key has this SHA-256 digest (hexadecimal)."""

    digest: Annotated[str, Field(min_length=64, max_length=64)]


class KeyVerified(Contract):
    """The name that the key was made for."""

    name: str


class AskDatabase(Contract):
    """How PostgreSQL is. With `count`, entries are counted now: that takes the longer the more."""

    count: bool = False


class DatabaseStatus(Contract):
    """PostgreSQL as a worker sees it. Entries are as of the last roll-up, or counted as asked."""

    entries: int
    archived: int
    schema_version: int
    server_version: str
    position: str
    #: PostgreSQL's clock.
    at: datetime
    #: Connections of everyone, and how many it takes.
    connections: int
    connections_max: int
    #: Migrations of this release that were not applied.
    missing_migrations: tuple[str, ...] = ()
    #: Age in seconds of the oldest transaction that holds the change feed back.
    feed_held_seconds: float


class ProcessState(Contract):
    """How far the start of a worker process is; `phase` is `ready` once it is over."""

    node: str
    name: str
    pid: int
    phase: str
    #: Of Casebook, as the process runs it; "" of one that is too old to tell.
    release: str = ""
    #: How long each phase took that is over, from its first try.
    ms: dict[str, float] = Field(default_factory=dict)
    #: Why the phase that is going on is not over.
    reason: str | None = None
    #: When it said so (Unix time of its machine); it does at every step, and once a minute.
    at: float = 0.0
