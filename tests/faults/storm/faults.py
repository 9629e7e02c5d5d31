"""The faults: each strikes the house once, and says whom it hit."""

import contextlib
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil
import psycopg
from redis import Redis

from tests.faults.storm.house import HEARTBEAT, PATIENCE, House
from tests.faults.storm.journal import Entry
from tests.faults.storm.ledger import Ledger
from tests.faults.storm.visitor import Visitor

if TYPE_CHECKING:
    from tests.faults.storm.schedule import Schedule

CONSUMERS = ("worker", "importer", "indexer")
AGAIN = 0.3  # how likely a process is killed a second time as soon as it is back


@dataclass
class Field:
    """Where the storm rages: one round of one seed."""

    house: House
    ledger: Ledger
    chance: random.Random
    visitors: list[Visitor] = field(default_factory=list)
    visits: int = 0
    schedule: "Schedule" = None  # type: ignore[assignment]  # there once the house is up

    def pick(self, found: list[psutil.Process]) -> psutil.Process:
        """One of them, the same whatever their pids are."""
        return found[int(self.chance.random() * len(found))]


Strike = Callable[[Field, Entry], None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault, in the words of the table."""

    kind: str
    strike: Strike
    #: It needs the proxies, or a disk of its own.
    needs: str = ""


def _kill_child(kind: str) -> Strike:
    def strike(field: Field, entry: Entry) -> None:
        again = field.chance.random() < AGAIN
        wait = field.chance.uniform(0, 0.6)
        for count in range(1 + again):
            if count:
                _until_there(field.house, kind)
                time.sleep(wait)  # somewhere in its start
            entry.target += f"{kind} {_kill_one(field, kind)} "
            entry.kills += 1
        entry.deaths += entry.kills * (kind in CONSUMERS)

    return strike


def _kill_one(field: Field, kind: str) -> int:
    """Its pid. One that starts while Redis is away ends by itself: then the next one."""
    while True:
        victim = field.pick(_until_there(field.house, kind))
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
            return victim.pid


def _until_there(house: House, kind: str) -> list[psutil.Process]:
    deadline = time.monotonic() + PATIENCE
    while not (found := house.processes(kind)):
        assert time.monotonic() < deadline, f"no {kind} was started again"
        time.sleep(0.01)
    return found


def _kill_supervisor(field: Field, entry: Entry) -> None:
    victim = field.house.supervisor()
    victim.kill()
    entry.kills, entry.deaths = 1, 1
    entry.target = f"supervisor {victim.pid}"
    field.house.up()


def _kill_everything(field: Field, entry: Entry) -> None:
    """The supervisor first, so that nothing is told to end in good order."""
    house = field.house
    servers = [house.server_pid(server) for server in house.servers]
    victims = {one.pid: one for one in (house.supervisor(), *house.children())}
    victims |= {pid: psutil.Process(pid) for pid in servers if pid is not None}
    for victim in victims.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
            entry.kills += 1
    entry.deaths, entry.target = 1, f"{len(victims)} processes"
    for server in house.servers:
        if server.process:
            server.process.wait(PATIENCE)
    house.revive()
    house.up()


def _kill_client(field: Field, entry: Entry) -> None:
    field.visits += 1
    visitor = Visitor(field.house, field.ledger, field.chance, field.visits)
    entry.target = f"casebook import, pid {visitor.kill()}"
    entry.kills = 1
    field.visitors.append(visitor)


def _kill_server(name: str) -> Strike:
    def strike(field: Field, entry: Entry) -> None:
        house = field.house
        server = getattr(house, name)
        pid = _server(house, name)
        psutil.Process(pid).kill()
        entry.kills, entry.target = 1, f"{name} {pid}"
        time.sleep(field.chance.uniform(0, 0.5))
        if not house.embedded:
            assert server.process is not None
            server.process.wait(PATIENCE)
        house.revive()
        _server(house, name)

    return strike


def _server(house: House, name: str) -> int:
    """Its pid, once it runs (the supervisor starts embedded ones again)."""
    server = getattr(house, name)
    deadline = time.monotonic() + PATIENCE
    while (pid := house.server_pid(server)) is None:
        assert time.monotonic() < deadline, f"{name} was not started again"
        time.sleep(0.01)
    return pid


def _kill_backend(field: Field, entry: Entry) -> None:
    """PostgreSQL ends every session when one of its processes is killed, and recovers."""
    draw, deadline = field.chance.random(), time.monotonic() + PATIENCE
    while (found := _backends(field.house)) is None:  # it still recovers from the last one
        assert time.monotonic() < deadline, "PostgreSQL has not recovered"
        time.sleep(0.05)
    if not found:
        entry.target = "no backend was there"
        return
    pid, name = found[int(draw * len(found))]
    psutil.Process(pid).kill()
    entry.kills, entry.target = 1, f"backend {pid} of {name or 'the listener'}"


def _backends(house: House) -> list[tuple[int, str]] | None:
    try:
        with psycopg.connect(house.postgres.url, connect_timeout=10) as session:
            return session.execute(
                "select pid, application_name from pg_stat_activity "
                "where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid"
            ).fetchall()
    except psycopg.OperationalError:
        return None


def _pause_worker(field: Field, entry: Entry) -> None:
    """Silent for longer than its heartbeat; then it settles what others have done meanwhile."""
    victim = field.pick(_until_there(field.house, "worker"))
    victim.send_signal(signal.SIGSTOP)
    time.sleep(field.chance.uniform(2.0, 4.0) * HEARTBEAT / 1000)
    victim.send_signal(signal.SIGCONT)
    entry.target, entry.deaths = f"worker {victim.pid}", 1


def _pause_server(name: str) -> Strike:
    def strike(field: Field, entry: Entry) -> None:
        victim = psutil.Process(_server(field.house, name))
        family = [victim, *victim.children(recursive=True)]
        for one in family:
            one.send_signal(signal.SIGSTOP)
        time.sleep(field.chance.uniform(2.0, 4.0) * HEARTBEAT / 1000)
        for one in family:
            one.send_signal(signal.SIGCONT)
        entry.target = f"{name} {victim.pid}"

    return strike


def _slow_cache(field: Field, entry: Entry) -> None:
    """Every answer of it comes too late; nobody waits for it."""
    victim = psutil.Process(_server(field.house, "cache"))
    for _ in range(20):
        victim.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        victim.send_signal(signal.SIGCONT)
        time.sleep(0.005)
    entry.target = f"cache {victim.pid}"


def _full_cache(field: Field, entry: Entry) -> None:
    with Redis.from_url(field.house.cache.url) as cache:
        before = cache.config_get("maxmemory")["maxmemory"]
        cache.config_set("maxmemory", "1mb")
        time.sleep(field.chance.uniform(0.5, 2.0))
        cache.config_set("maxmemory", before)
    entry.target = "maxmemory 1mb"


def _lying_cache(field: Field, entry: Entry) -> None:
    """A bit of every value is another one."""
    with Redis.from_url(field.house.cache.url) as cache:
        names = list(cache.scan_iter("{casebook:cache}:v:*"))
        for name in names:
            size = cache.strlen(name)
            if size:
                place = field.chance.randrange(8 * size)
                cache.setbit(name, place, 1 - cache.getbit(name, place))
    entry.target = f"{len(names)} values"


KILLS = (
    Fault("kill -9 worker", _kill_child("worker")),
    Fault("kill -9 importer", _kill_child("importer")),
    Fault("kill -9 indexer", _kill_child("indexer")),
    Fault("kill -9 shim", _kill_child("shim")),
    Fault("kill -9 client that imports", _kill_client),
)
WHOLE = (
    Fault("kill -9 supervisor, then up", _kill_supervisor),
    Fault("kill -9 everything at once, then up", _kill_everything),
)
PAUSE = Fault("SIGSTOP worker past its heartbeat", _pause_worker)
SERVERS = (
    Fault("kill -9 Valkey", _kill_server("valkey")),
    Fault("kill -9 PostgreSQL", _kill_server("postgres")),
    Fault("kill -9 a PostgreSQL backend", _kill_backend),
)
CACHE = (
    Fault("kill -9 the cache", _kill_server("cache")),
    Fault("SIGSTOP the cache", _pause_server("cache")),
    Fault("the cache slow", _slow_cache),
    Fault("the cache full", _full_cache),
    Fault("the cache damaged", _lying_cache),
)
PAUSES = (
    Fault("SIGSTOP Valkey past the heartbeat", _pause_server("valkey")),
    Fault("SIGSTOP PostgreSQL", _pause_server("postgres")),
)
