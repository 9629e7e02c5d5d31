"""Copies of one ground, database and queues alike, so that what is done to them can be compared."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from actors.index import Again
from actors.nudge import Nudge
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey
from storage.index.follower import Follower
from storage.index.searcher import IndexReader
from storage.postgres.store import Store
from tests.support.house import NODE, House, make_house

NUMBERS = itertools.count(1)
GROUND, COPY = 14, 15  # logical databases of the Valkey
TABLES = "select tablename from pg_tables where schemaname = 'public'"
KEPT = ("epoch", "schema_migrations", "categories")  # not emptied, or not wholly

UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
POSITIONS = re.compile(r"[0-9a-f]+-[0-9A-Fa-f]+-\d+\.\d+\.\d+")
COUNTED = re.compile(r'"(txid|seq|id|batch|message_timestamp)": ?"?\d+"?')
BYTES = re.compile(r"\\\\x([0-9a-f]+)")
#: Keys that say who worked, not what was done.
PASSING = (":alive:", ":receipt:", ":counts", ":signal", "casebook:queues")

Dump = dict[str, list[str]]


class Copies:
    """An empty house for each ground, and a copy of it.

    Emptying a database is ten times as fast as making one, so that all grounds share one.
    """

    def __init__(self, postgres: EmbeddedPostgres, valkey: EmbeddedValkey, folder: Path) -> None:
        self._postgres = postgres
        self._valkey = valkey
        self._folder = folder
        self._ground = f"ground_{next(NUMBERS)}"
        self._make(self._ground, "template_casebook")
        with psycopg.connect(of_database(postgres.url, self._ground)) as session:
            self._categories = [key for (key,) in session.execute("select key from categories")]

    @contextmanager
    def empty(self) -> Iterator[House]:
        """An empty house."""
        with psycopg.connect(of_database(self._postgres.url, self._ground)) as session:
            tables = session.execute(TABLES).fetchall()
            for (name,) in tables:
                if name not in KEPT:
                    session.execute(f"delete from {name}".encode())
            session.execute("delete from categories where key <> all(%s)", [self._categories])
        with Redis.from_url(self._queues(GROUND)) as redis:
            redis.flushdb()
        with self.again() as house:
            yield house

    @contextmanager
    def again(self) -> Iterator[House]:
        """The house that was `empty`, as it was left."""
        with self._open(self._ground, GROUND) as house:
            yield house

    @contextmanager
    def copy(self) -> Iterator[House]:
        """A copy of the house that was `empty`, once that has been left."""
        name = f"copy_{next(NUMBERS)}"
        self._make(name, self._ground)
        with Redis.from_url(self._queues(COPY)) as redis:
            redis.flushdb()
        with Redis.from_url(self._queues(GROUND)) as redis:
            for key in redis.scan_iter():
                redis.execute_command("COPY", key, key, "DB", COPY)
        with self._open(name, COPY) as house:
            yield house

    def _make(self, name: str, template: str) -> None:
        with psycopg.connect(self._postgres.url, autocommit=True) as session:
            session.execute(f"create database {name} template {template}".encode())
            # What a test looks at needs no disk.
            session.execute(f"alter database {name} set synchronous_commit = off".encode())

    def _queues(self, number: int) -> str:
        return f"{self._valkey.url}{'&' if '?' in self._valkey.url else '?'}db={number}"

    @contextmanager
    def _open(self, name: str, number: int) -> Iterator[House]:
        folder = self._folder / f"index {next(NUMBERS)}"
        store = Store(of_database(self._postgres.url, name))
        store.open()
        house = make_house(self._queues(number), store, folder)
        follower = Follower(folder, store)
        nudge = Nudge(house.broker, NODE)
        house.broker.resources |= {Follower: follower, Again: Again(nudge)}
        try:
            yield house
        finally:
            follower.close()
            store.close()


def dump(house: House, *, dead: bool = True) -> Dump:
    """Every row of every table, every message of every queue, and what is in the index.

    Without `dead`, the queues' dead letters are left out.
    """
    found: Dump = {}
    for table in house.rows(TABLES):
        name = table["tablename"]
        rows = house.rows(f"select to_jsonb(t)::text as row from {name} as t")
        found[name] = sorted(BYTES.sub(_as_text, row["row"]) for row in rows)
    with Redis.from_url(house.broker.url) as redis:
        for key in sorted(found_key.decode() for found_key in redis.scan_iter()):
            if any(part in key for part in PASSING) or (not dead and key.endswith(":dead")):
                continue
            if held := _held(redis, key):
                found[key] = held
    reader: IndexReader = house.broker.resources[IndexReader]
    if reader.published() is not None:
        found["index"] = sorted(f"{key} {version}" for key, version in reader.ids_and_versions())
    return found


def _held(redis: Any, key: str) -> list[str]:
    match redis.type(key):
        case b"stream":
            fields = (fields for _, fields in redis.xrange(key))
            return sorted(repr(one) for one in fields if b"body" in one)
        case b"zset":
            return sorted(member.decode() for member in redis.zrange(key, 0, -1))
        case b"hash":
            return sorted(name.decode() for name in redis.hkeys(key))
        case kind:
            return [kind.decode()]


def alike(found: Dump, ground: Dump) -> Dump:
    """A dump without what differs from one run to the next: ids, times and counters.

    What was in the ground already is the same in every copy, and stays.
    """
    known = set(re.findall(UUIDS, repr(ground)))
    moments = {match.group() for match in re.finditer(TIMES, repr(ground))}

    def plain(text: str) -> str:
        text = UUIDS.sub(lambda m: m.group() if m.group() in known else "ID", text)
        text = TIMES.sub(lambda m: m.group() if m.group() in moments else "TIME", text)
        return COUNTED.sub(r"\1", POSITIONS.sub("POSITION", text))

    return {plain(name): sorted(map(plain, rows)) for name, rows in found.items()}


def _as_text(match: re.Match[str]) -> str:
    return bytes.fromhex(match[1]).decode(errors="backslashreplace")


def of_database(url: str, name: str) -> str:
    """`url` with another database."""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
