"""What `casebook doctor` finds about the cache's instance."""

import time

from redis.exceptions import RedisError

from actors.broker.link import Link
from contracts.errors import CasebookError
from contracts.health import Finding, Level

SLOW = 0.05  # seconds: what takes longer counts as failed where the cache is used
NAMED = "CASEBOOK_CACHE_URL"


def examine(url: str | None, queues: Link) -> list[Finding]:
    """Whether it is there, near, bounded, and not the queues'. Blocks for some seconds at most."""
    if url is None:
        return [Finding("well", "cache", f"is in each process alone: {NAMED} names no instance")]
    link = Link(url)
    try:
        link.ask_one((b"PING",))
        began = time.perf_counter()
        info = fields(link.ask_one((b"INFO",)))
        took = time.perf_counter() - began
    except (CasebookError, RedisError) as error:
        remedy = f"Is it running? See logs/cache.log in the data folder, or {NAMED}."
        return [Finding("warning", "cache", f"does not answer: {error}", remedy)]
    finally:
        link.close()
    return _findings(info, took, _run_id(queues)) or [
        Finding("well", "cache", f"answers within {1000 * took:.0f} ms")
    ]


def fields(info: bytes) -> dict[str, str]:
    """What INFO tells, by name."""
    lines = (line.partition(":") for line in info.decode().split("\r\n"))
    return {name: value for name, separator, value in lines if separator}


def _findings(info: dict[str, str], took: float, queues: str) -> list[Finding]:
    policy = info.get("maxmemory_policy", "")
    own = "allkeys-lfu makes room by what is seldom asked for."
    cases: list[tuple[bool, Level, str, str]] = [
        (
            info.get("run_id") == queues,
            "wrong",
            "is the queues' instance: answers take messages' memory",
            f"Give it an instance of its own, or leave {NAMED} out.",
        ),
        (
            info.get("maxmemory") == "0",
            "warning",
            "has no bound on its memory",
            f"Set maxmemory, and maxmemory-policy: {own}",
        ),
        (
            policy == "noeviction",
            "warning",
            "keeps nothing new once it is full: its maxmemory-policy is noeviction",
            f"Set maxmemory-policy: {own}",
        ),
        (
            info.get("aof_enabled") == "1",
            "warning",
            "writes an append-only file",
            "Set appendonly no: what it holds may be lost, and writing it costs time.",
        ),
        (
            took > SLOW,
            "warning",
            f"took {1000 * took:.0f} ms to answer",
            "Bring it nearer: a call that takes longer than 50 ms counts as failed.",
        ),
    ]
    return [
        Finding(level, "cache", found, remedy) for holds, level, found, remedy in cases if holds
    ]


def _run_id(queues: Link) -> str:
    """Which server the queues are on; "" while it is away, which is told elsewhere."""
    try:
        return fields(queues.ask_one((b"INFO", b"server"))).get("run_id", "")
    except (CasebookError, RedisError):
        return ""
