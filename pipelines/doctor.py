"""What is wrong, and what to do about it: each finding names both."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from actors import index, system
from actors.broker.client import Client
from actors.queues import queue_of
from actors.startup import processes
from contracts.errors import CasebookError
from contracts.health import Finding, Health, Level
from contracts.search import IndexVerified, VerifyIndex
from contracts.system import AskDatabase, DatabaseStatus
from pipelines import doctor_cache, doctor_releases, health
from pipelines.ask import ask_for

SKEW = 2.0  # seconds that two clocks may differ: deadlines of reads are seconds
OLDEST_REDIS = (6, 2)


async def examine(
    client: Client, node: str, data: Path, cache_url: str | None, *, verify: bool
) -> list[Finding]:
    """Look at everything that can be asked for; with `verify`, compare entry by entry."""
    looked = await health.look(client, data, count=True)
    findings = _health(looked)
    findings += await asyncio.to_thread(_redis, client)
    findings += await asyncio.to_thread(_releases, client)
    findings += await asyncio.to_thread(doctor_cache.examine, cache_url, client.broker.link)
    if looked.checks["database"].code is None:
        version = looked.checks["database"].facts["server_version"]
        findings += doctor_releases.postgres(version)
        findings += await _clocks(client)
        findings += _drift(looked)
        if verify:
            findings.append(await _verified(client, node))
    return findings


def _health(looked: Health) -> list[Finding]:
    findings = []
    for name, check in looked.checks.items():
        if check.ok:
            findings.append(Finding("well", name, f"answers within {check.ms:.0f} ms"))
        else:
            level: Level = "wrong" if check.code else "warning"
            remedy = _remedy(name, looked)
            findings.append(Finding(level, name, check.reason or "", remedy))
    return findings


def _remedy(name: str, looked: Health) -> str:
    """What to do; of an index that can't be asked without the database, what to do about that."""
    checks = looked.checks
    if name == "index" and checks["index"].code and checks["database"].code:
        return "It asks the database how far it is: see the database, above."
    return health.REMEDIES[name]


def _redis(client: Client) -> list[Finding]:
    """Its release, and that it keeps what it is given."""
    try:
        info = doctor_cache.fields(client.broker.link.ask_one((b"INFO",)))
    except CasebookError:
        return []  # told already
    findings = []
    release = info.get("valkey_version") or info.get("redis_version", "0")
    number = tuple(int(part) for part in release.split(".")[:2])
    if number < OLDEST_REDIS:
        remedy = "Redis 6.2 or later, or Valkey, is needed."
        findings.append(Finding("wrong", "redis", f"it is release {release}", remedy))
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        remedy = "Set maxmemory-policy noeviction: any other drops messages when memory is short."
        found = f"its maxmemory-policy is {info['maxmemory_policy']}"
        findings.append(Finding("wrong", "redis", found, remedy))
    if info.get("aof_enabled") == "0":
        remedy = "Set appendonly yes: without it a restart loses messages."
        findings.append(Finding("wrong", "redis", "it writes no append-only file", remedy))
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > 0.9 * most:
        remedy = "Raise maxmemory, or find out which queue grows: `casebook queues`."
        findings.append(Finding("warning", "redis", f"{used / most:.0%} of memory used", remedy))
    return findings


def _releases(client: Client) -> list[Finding]:
    try:
        return doctor_releases.running(processes(client.broker.link))
    except CasebookError:
        return []  # told already


async def _clocks(client: Client) -> list[Finding]:
    """This machine's, Redis's and PostgreSQL's."""
    start = time.time()
    status = await ask_for(DatabaseStatus, client, system.database, AskDatabase(), timeout=3.0)
    taken = time.time() - start
    seconds, micros = await asyncio.to_thread(client.broker.link.ask_one, (b"TIME",))
    clocks = {
        "PostgreSQL": status.at - datetime.fromtimestamp(start, UTC),
        "Redis": datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC) - datetime.now(UTC),
    }
    off = {name: by.total_seconds() for name, by in clocks.items()}
    wrong = {name: by for name, by in off.items() if abs(by) > SKEW + taken}
    if not wrong:
        return [Finding("well", "clocks", "agree")]
    remedy = "Let NTP (chrony, systemd-timesyncd) set the clocks of all machines."
    return [
        Finding("warning", "clocks", f"{name}'s is {by:+.1f} s off this machine's", remedy)
        for name, by in wrong.items()
    ]


def _drift(looked: Health) -> list[Finding]:
    """Counts alone: a comparison of every entry is asked for with `verify`."""
    database, indexed = looked.checks["database"].facts, looked.checks["index"].facts
    if not indexed or indexed["behind"]:
        return []
    difference = database["entries"] - indexed["documents"]
    if difference:
        found = f"{abs(difference)} entries {'missing' if difference > 0 else 'too many'}"
        remedy = "`casebook doctor --verify` names them; `casebook reindex` builds the index anew."
        return [Finding("warning", "drift", found, remedy)]
    return [Finding("well", "drift", f"PostgreSQL and the index have {database['entries']} each")]


async def _verified(client: Client, node: str) -> Finding:
    queue = queue_of(node)
    try:
        found = await ask_for(
            IndexVerified, client, index.verify, VerifyIndex(), timeout=600, queue=queue
        )
    except CasebookError as error:
        return Finding("warning", "verify", error.message, health.REMEDIES["index"])
    if found.agrees:
        return Finding("well", "verify", f"all {found.entries} entries are as in PostgreSQL")
    lists = {"missing": found.missing, "outdated": found.outdated, "orphaned": found.orphaned}
    told = ", ".join(f"{name} {', '.join(map(str, ids))}" for name, ids in lists.items() if ids)
    return Finding("wrong", "verify", told, "`casebook reindex` builds the index anew.")
