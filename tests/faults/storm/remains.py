"""What may remain when nothing is asked any more: no message, consumer, process or connection."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg
from redis import Redis
from redis.exceptions import ResponseError

from actors.broker.keys import GROUP, QueueKeys
from actors.worker import POOL
from storage.index.published import read
from tests.faults.storm.house import KINDS, House
from tests.faults.storm.journal import Round
from tests.faults.storm.writers import REFUSED

#: Connections and files that may come and go: pools grow and shrink after minutes,
#: a nudging thread connects when it first has something to say. Each of these passes through the
#: harness as two files.
PROCESSES = sum(count for _, count in KINDS.values())
SLACK = {"redis": 6, "postgres": PROCESSES * POOL, "files of the harness": 2 * PROCESSES * POOL}
FILES = 12
#: Alerts that a storm has reasons for: of dead letters, and of a minute with many refusals.
TOLD = {"CasebookDeadLetters", "CasebookErrorRate", "CasebookErrorRateHigh"}
#: Seconds in which a circuit that is open is tried again: what was away is back by itself.
RESTS = 45.0
CLAIMED = re.compile(rb"queue (\S+): (\d+) messages of dead workers will be tried again, (\d+) are")
LETTERS = "select message_id, queue, reason, report, body from dead_letters"


def queues(house: House) -> list[QueueKeys]:
    """Every queue of the house."""
    with house.redis() as redis:
        found = {key.decode() for key in redis.scan_iter("casebook:{*}:*")}
    names = {key.partition("{")[2].partition("}")[0] for key in found}
    return [QueueKeys(name) for name in sorted(names)]


def unsettled(house: House) -> Iterator[str]:
    """What is still on its way; nothing once everything has settled."""
    for kind, (_, count) in KINDS.items():
        if len(house.processes(kind)) != count:
            yield f"{len(house.processes(kind))} {kind} processes, not {count}"
    living = {one.pid for kind in KINDS for one in house.processes(kind)}
    living |= {guest.pid for guest in house.guests}
    with house.redis() as redis:
        for keys in queues(house):
            yield from _messages(redis, keys)
            yield from _consumers(redis, keys, living)
        for key in redis.scan_iter("casebook:replies:*"):
            if redis.ttl(key) == -1:
                yield f"the reply list {key.decode()} would stay for ever"
    yield from _behind(house)
    for stranger in house.strangers():
        yield f"nobody looks after pid {stranger.pid}: {' '.join(stranger.cmdline())[:200]}"


def _behind(house: House) -> Iterator[str]:
    """The index is where the feed ends, without being told to go there."""
    published = read(house.data / "index")
    with psycopg.connect(house.postgres.url) as session:
        row = session.execute("select max((txid::text::bigint)) from changes").fetchone()
    assert row is not None
    reached = published.position.txid if published else 0
    if row[0] is not None and reached < row[0]:
        yield f"the index is at transaction {reached}, the feed at {row[0]}"


def _messages(redis: Redis, keys: QueueKeys) -> Iterator[str]:
    for place in (keys.waiting, keys.suspects):
        if count := redis.xlen(place):
            yield f"{count} messages in {place}"
        if pending := _asked(lambda place=place: redis.xpending(place, GROUP)["pending"]):
            yield f"{pending} pending in {place}"
    if count := redis.zcard(keys.delayed):
        yield f"{count} messages in {keys.delayed}"


def _consumers(redis: Redis, keys: QueueKeys, living: set[int]) -> Iterator[str]:
    for place in (keys.waiting, keys.suspects):
        for consumer in _asked(lambda place=place: redis.xinfo_consumers(place, GROUP)) or ():
            name = consumer["name"].decode()
            pid = name.removesuffix(name[name.index(f"-{keys.queue}-") :]).split("-")[-2]
            if int(pid) not in living:
                yield f"consumer {name} of {place} is dead and not forgotten"


def _asked(question: Any) -> Any:
    try:
        return question()
    except ResponseError:
        return None  # no such stream, or no group yet


def dead_letters(house: House, round_: Round, seen: set[str]) -> Iterator[str]:
    """The new ones that this round's faults don't explain."""
    deaths = sum(fault.deaths for fault in round_.faults)
    index_was_full = any("disk full under the index" in one.kind for one in round_.faults)
    for message_id, (queue, reason, said) in _letters(house).items():
        if message_id in seen:
            continue
        seen.add(message_id)
        explained = (
            (reason == "poison" and deaths >= 3)
            or (reason == "failed" and index_was_full and queue.startswith("index@"))
            # What had to be refused is a letter where nobody waited any more to be told.
            or (reason in ("refused", "invalid") and REFUSED in said)
        )
        if not explained:
            yield f"a dead letter in {queue}: {reason} {message_id} {said[:1000]}"


def _letters(house: House) -> dict[str, tuple[str, str, str]]:
    """By message id, wherever they are: in Redis, or already rows."""
    found = {}
    with house.redis() as redis:
        for keys in queues(house):
            for _, fields in redis.xrange(keys.dead):
                name = str(orjson.loads(fields[b"body"])["message_id"])
                said = (fields[b"report"] + fields[b"body"]).decode()
                found[name] = (keys.queue, fields[b"reason"].decode(), said)
    with psycopg.connect(house.postgres.url) as session:
        for row in session.execute(LETTERS):
            found[row[0]] = (row[1], row[2], f"{row[3]} {bytes(row[4]).decode()}")
    return found


@dataclass
class Logs:
    """What the processes wrote since the round began."""

    folder: Path
    places: dict[Path, int]

    @classmethod
    def now(cls, house: House) -> "Logs":
        """From here on."""
        folder = house.data / "logs"
        return cls(folder, {file: file.stat().st_size for file in folder.glob("*.log")})

    def claimed(self) -> int:
        """How many messages were taken from consumers that looked dead."""
        return sum(int(n) + int(m) for _, n, m in CLAIMED.findall(self._new()))

    def _new(self) -> bytes:
        return b"".join(
            file.read_bytes()[self.places.get(file, 0) :] for file in self.folder.glob("*.log")
        )


def footprint(house: House) -> dict[str, int]:
    """Connections and open files, by whom."""
    with house.redis() as redis:
        found = {"redis": len(redis.client_list()) - 1}
    with psycopg.connect(house.postgres.url) as session:
        row = session.execute(
            "select count(*) - 1 from pg_stat_activity where backend_type = 'client backend'"
        ).fetchone()
        assert row is not None
        found["postgres"] = row[0]
    found["files of supervisor"] = house.supervisor().num_fds()
    for kind in KINDS:
        found[f"files of {kind}"] = max(one.num_fds() for one in house.processes(kind))
    found["files of the harness"] = psutil.Process().num_fds()
    return found


def leaks(base: dict[str, int], now: dict[str, int]) -> Iterator[str]:
    """What has grown by more than what is documented."""
    for name, count in now.items():
        if count > base[name] + SLACK.get(name, FILES):
            yield f"{name}: {count}, at first {base[name]}"


def verified(house: House) -> Iterator[str]:
    """Whether `casebook status --verify` finds the index equal to PostgreSQL."""
    deadline = time.monotonic() + RESTS
    while True:
        done = house.casebook.run("status", "--verify", "--json")
        found = orjson.loads(done.out) if done.out else {}
        circuits = found.get("checks", {}).get("circuits", {})
        if circuits.get("ok", True) or time.monotonic() > deadline:
            break
        time.sleep(1.0)
    # Whether a dead letter is as it should be is judged above, and so is every answer; that they
    # are told of is right.
    rules = found.get("alerts", {}).get("rules") or ()
    told = bool(rules) and set(rules) <= TOLD
    if done.code != (1 if told else 0) or not found.get("verified", {}).get("agrees"):
        yield f"status --verify: exit code {done.code}: {done.out} {done.err}"
