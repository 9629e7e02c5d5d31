"""Faults of the ground: connections cut, servers out of reach, memory and disks full."""

import time
from collections.abc import Callable

import httpx

from actors.broker import scripts
from tests.faults.storm.faults import Fault, Field
from tests.faults.storm.house import HEARTBEAT, PATIENCE
from tests.faults.storm.journal import Entry
from tests.support.proxy import Limit, Proxy, Trap

SPRING = 3.0  # seconds that a trap waits for its prey
NEEDLES = {
    "an answer to a blocking read": b"BLOCK",
    "an answer to a settle": scripts.script("settle").sha,
    "an answer to a read": scripts.script("next").sha,
    "an answer to a heartbeat": scripts.script("beat").sha,
    "an answer to an enqueue": b"XADD",
}


def _cut_redis(field: Field, entry: Entry) -> None:
    assert field.house.redis_proxy is not None
    needles = list(NEEDLES)
    draw = field.chance.randrange(len(needles) + 3)
    proxy = field.house.redis_proxy
    if draw < len(needles):
        entry.target = needles[draw]
        _await(proxy, proxy.lose_answer(NEEDLES[needles[draw]]), entry)
    elif draw == len(needles):
        entry.target = "a settle before it arrives"
        _await(proxy, proxy.lose_request(scripts.script("settle").sha), entry)
    else:
        _after_bytes(proxy, field, entry, 20_000)


def _cut_postgres(field: Field, entry: Entry) -> None:
    assert field.house.postgres_proxy is not None
    proxy = field.house.postgres_proxy
    draw = field.chance.randrange(4)
    if draw == 0:
        entry.target = "an answer to a COMMIT"
        _await(proxy, proxy.lose_answer(b"COMMIT"), entry)
    elif draw == 1:
        entry.target = "a COMMIT before it arrives"
        _await(proxy, proxy.lose_request(b"COMMIT"), entry)
    else:
        _after_bytes(proxy, field, entry, 50_000)


def _after_bytes(proxy: Proxy, field: Field, entry: Entry, most: int) -> None:
    count, answers = field.chance.randrange(1, most), field.chance.random() < 0.5
    entry.target = f"after {count} bytes of {'answers' if answers else 'requests'}"
    limit = Limit(count, answers)
    proxy.limit(limit)
    _await(proxy, limit, entry)


def _await(proxy: Proxy, trap: Trap | Limit, entry: Entry) -> None:
    if not trap.sprung.wait(SPRING):
        proxy.disarm()
        entry.target += ", which did not come"


def _cut_all(field: Field, entry: Entry) -> None:
    assert field.house.redis_proxy is not None and field.house.postgres_proxy is not None
    field.house.redis_proxy.cut()
    field.house.postgres_proxy.cut()
    entry.target = "every connection at once"


def _redis_away(field: Field, entry: Entry) -> None:
    proxy = field.house.redis_proxy
    assert proxy is not None
    proxy.down()
    time.sleep(field.chance.uniform(2.0, 4.0) * HEARTBEAT / 1000)
    proxy.up()
    entry.target = "Redis refuses"


def _postgres_away(field: Field, entry: Entry) -> None:
    """Writes are kept, searches are answered from the index."""
    proxy = field.house.postgres_proxy
    assert proxy is not None
    with field.house.casebook.http() as http:
        _until(field, "a search before", lambda: _search(http) == (200, ""))
        seconds = field.chance.uniform(1.0, 3.0)
        proxy.down()
        try:
            _until(field, "a search while PostgreSQL is away", lambda: _search(http) == (200, ""))
            body = {"title": f"kept while away {entry.began}"}
            key = f"away-{entry.began}"
            _until(
                field, "202 while PostgreSQL is away", lambda: _create(http, body, key) == (202, "")
            )
            time.sleep(seconds)
        finally:
            proxy.up()
        field.ledger.promise(body["title"])
    entry.target = "PostgreSQL refuses"


def _redis_full(field: Field, entry: Entry) -> None:
    """Producers are told QUEUE_FULL; what waits is worked off; then there is room again."""
    house = field.house
    with house.redis() as redis, house.casebook.http() as http:
        before = redis.config_get("maxmemory")["maxmemory"]
        redis.config_set("maxmemory", "1mb")
        try:
            title = f"refused while full {entry.began}"
            full = (503, "QUEUE_FULL")
            _until(field, str(full), lambda: _create(http, {"title": title}, title) == full)
            field.ledger.refuse(title)
            time.sleep(field.chance.uniform(0.5, 2.0))
            _until(field, "consumers to go on while full", lambda: not waiting(field))
        finally:
            redis.config_set("maxmemory", before)
    entry.target = "maxmemory 1mb"


def waiting(field: Field) -> int:
    """Messages that wait or run, in all queues."""
    with field.house.redis() as redis:
        return sum(int(redis.xlen(key)) for key in redis.scan_iter("casebook:{*}:waiting"))


def _index_disk_full(field: Field, entry: Entry) -> None:
    disk = field.house.index_disk
    assert disk is not None
    disk.fill()
    time.sleep(field.chance.uniform(1.0, 4.0))
    disk.free()
    entry.target = "the index folder"


def _aof_disk_full(field: Field, entry: Entry) -> None:
    disk = field.house.aof_disk
    assert disk is not None
    disk.fill()
    time.sleep(field.chance.uniform(1.0, 4.0))
    disk.free()
    entry.target = "the append-only file"


def _until(field: Field, what: str, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE / 3
    while not true():
        if time.monotonic() > deadline:
            field.ledger.complain(f"{what}: did not come within {PATIENCE / 3:g} s")
            return
        time.sleep(0.05)


def _search(http: httpx.Client) -> tuple[int, str]:
    return _said(http.get, "/v1/search", params={"q": "dataset"})


def _create(http: httpx.Client, body: dict[str, str], key: str) -> tuple[int, str]:
    return _said(http.post, "/v1/entries", json=body, headers={"Idempotency-Key": key})


def _said(
    send: Callable[..., httpx.Response], *arguments: object, **more: object
) -> tuple[int, str]:
    """The status and the problem's code; 0 where the shim is away."""
    try:
        answer = send(*arguments, **more)
    except httpx.TransportError:
        return 0, ""
    problem = answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"] if problem else ""


CUTS = (
    Fault("a connection to Redis cut", _cut_redis, "proxies"),
    Fault("a connection to PostgreSQL cut", _cut_postgres, "proxies"),
    Fault("every connection cut at once", _cut_all, "proxies"),
)
OUTAGES = (
    Fault("Redis away past the heartbeat", _redis_away, "proxies"),
    Fault("PostgreSQL away for seconds", _postgres_away, "proxies"),
    Fault("Redis at maxmemory", _redis_full),
)
DISKS = (
    Fault("disk full under the index", _index_disk_full, "disks"),
    Fault("disk full under the append-only file", _aof_disk_full, "disks"),
)
