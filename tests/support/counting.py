"""Counts what an operation costs in things that do not depend on how fast the machine is."""

import gc
import re
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import psycopg
import pytest
from psycopg.pq import Trace
from redis import Redis

from actors.broker.link import Command, Link
from actors.broker.wire import Wire

#: What the look at Redis itself adds to its counts.
LOOKING = ("info",)
SENT = re.compile(r"^F\t(\d+)\t(Query|Execute)\b")
LINE = re.compile(r"^[FB]\t(\d+)\t")


class Trips:
    """Round trips to Redis of this process, and the commands in them; who blocks is seen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: Counter[str] = Counter()
        #: Set when a reader has asked for a message that is not there yet.
        self.blocking = threading.Event()
        exchange, write, flush = Link._exchange, Link._write, Wire._flush

        def exchanging(link: Link, commands: Sequence[Command]) -> list[Any]:
            self.found["worker round trips"] += 1
            if commands[0][0] == b"XREADGROUP":
                self.blocking.set()
            return exchange(link, commands)

        def writing(link: Link, commands: Sequence[Command]) -> None:
            self.found["commands sent"] += len(commands)
            write(link, commands)

        def flushing(wire: Wire) -> None:
            listens = all(b"POP\r\n" in command for command in wire._unsent)
            self.found.update({"shim writes": not listens, "commands sent": len(wire._unsent)})
            flush(wire)

        monkeypatch.setattr(Link, "_exchange", exchanging)
        monkeypatch.setattr(Link, "_write", writing)
        monkeypatch.setattr(Wire, "_flush", flushing)


class Ground:
    """What Redis and PostgreSQL count of their side."""

    def __init__(self, redis: Redis, connection: psycopg.Connection[Any]) -> None:
        self._redis = redis
        self._connection = connection

    def _seen(self) -> Counter[str]:
        stats: Any = self._redis.info("stats")
        commands: Any = self._redis.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): one["calls"] for name, one in commands.items()}
        return Counter(
            {
                "redis bytes": stats["total_net_input_bytes"] + stats["total_net_output_bytes"],
                "redis calls": sum(n for name, n in calls.items() if name not in LOOKING),
                "messages": calls.get("xadd", 0),
            }
        )

    @contextmanager
    def counting(self, found: Counter[str]) -> Iterator[None]:
        """Add to `found` what the block asks of both."""
        first, before = self._seen(), self._seen()
        look = before - first  # what looking costs: more with every command that Redis ever ran
        with tempfile.TemporaryFile("w+") as file:
            self._connection.pgconn.trace(file.fileno())
            self._connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
            yield
            self._connection.pgconn.untrace()
            file.seek(0)
            for line in file:
                found["sql statements"] += bool(SENT.match(line))
                found["sql bytes"] += int(sized[1]) if (sized := LINE.match(line)) else 0
        cost = self._seen() - before - look
        if not cost["redis calls"]:
            del cost["redis bytes"]  # looking's own: a number in its answer grew by a digit
        found.update(cost)


@contextmanager
def calls(found: Counter[str], name: str) -> Iterator[None]:
    """Add to `found` how many functions this thread enters in the block, Python's and C's."""

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            found[name] += 1

    gc.disable()  # it runs finalizers when it likes
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        gc.enable()


def fewest(runs: Sequence[Counter[str]]) -> Counter[str]:
    """The least of each count that is not 0: whatever else went on meanwhile only adds."""
    return +Counter({name: min(one[name] for one in runs) for name in set().union(*runs)})
