"""A node's numbers at one moment: what rules look at, and what health history keeps."""

import logging
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from actors.metrics.gather import listed, read
from contracts.health import NodeFacts
from contracts.queues import QueueState
from storage.index.searcher import IndexReader
from storage.postgres.store import Store

log = logging.getLogger(__name__)

SEARCHES = "/v1/search"  # the route whose time is watched: others take as long as what they do
SLOW = "2.0"  # seconds: the bucket up to which a search is quick enough
FAMILY = "casebook_http_request_seconds"
ANSWERS = "casebook_answers"
KEPT = ("hot", "warm")  # where answers come from that nobody had to compute


@dataclass(frozen=True)
class Node:
    """Which node this process is of, and where its data is; a resource."""

    name: str
    data: Path


class Sample(NamedTuple):
    """Numbers as of `at`. Requests are counts since a process began: `{process: {...}}`."""

    at: datetime
    numbers: dict[str, Any]
    node: str = ""


def facts(node: Node, index: IndexReader) -> NodeFacts:
    """What only a process of this node can find. It asks neither PostgreSQL nor Redis."""
    published = index.published()
    position = published.position if published is not None else None
    return NodeFacts(
        node=node.name,
        disk_used=_disk_used(node.data),
        requests=requests(listed(node.data)),
        position=(position.txid, position.seq) if position is not None else None,
    )


def numbers(own: NodeFacts, states: Sequence[QueueState], store: Store) -> dict[str, Any]:
    """A node's sample as of now. Raises: DatabaseUnavailable."""
    behind = None
    with store.transaction() as tx:
        ground = tx.row("system.ground") or {}
        letters = {row["state"]: row["count"] for row in tx.rows("system.letters")}
        if own.position is not None:
            txid, seq = own.position
            behind = (tx.row("feed.behind", txid=str(txid), seq=seq) or {})["seconds"]
    return {
        **ground,
        "dead": letters.get("dead", 0) + sum(state.dead for state in states),
        "behind_seconds": behind,
        "disk_used": own.disk_used,
        "oldest": {one.name: one.oldest_seconds for one in states if one.oldest_seconds},
        "unread": {
            one.name: one.unfinished
            for one in states
            if not one.consumers and not one.paused and one.unfinished
        },
        "requests": own.requests,
    }


def _disk_used(data: Path) -> float | None:
    try:
        disk = shutil.disk_usage(data)
    except OSError:
        return None
    return 1 - disk.free / disk.total


def requests(processes: dict[str, str]) -> dict[str, dict[str, float]]:
    """By shim what it has answered: `{all, failed, searches, slow, cacheable, computed}`; none for
    a silent one."""
    texts = {name: read(url) for name, url in processes.items() if name.startswith("shim")}
    return {name: _counts(text) for name, text in texts.items() if text}


def _counts(text: str) -> dict[str, float]:
    names = ("all", "failed", "searches", "slow", "cacheable", "computed")
    found = dict.fromkeys(names, 0.0)
    for family in text_string_to_metric_families(text):
        for _, labels, value, *_ in family.samples if family.name == ANSWERS else ():
            found["cacheable"] += value
            found["computed"] += value if labels["source"] not in KEPT else 0
        for name, labels, value, *_ in family.samples if family.name == FAMILY else ():
            if name == f"{FAMILY}_count":
                found["all"] += value
                found["failed"] += value if labels["status"] == "5xx" else 0
                found["searches"] += value if labels["route"] == SEARCHES else 0
                found["slow"] += value if labels["route"] == SEARCHES else 0
            elif labels.get("le") == SLOW and labels["route"] == SEARCHES:
                found["slow"] -= value
    return found


def increase(samples: Sequence[Sample], name: str) -> float:
    """How much a count of requests has grown over these samples, restarts allowed for."""
    grown = 0.0
    for earlier, later in pairwise(samples):
        for process, counts in later.numbers.get("requests", {}).items():
            before = earlier.numbers.get("requests", {}).get(process)
            if before is None:
                continue  # its count may be older than these samples
            # A process that began anew counts from 0.
            fell = counts["all"] < before["all"]
            now = counts.get(name, 0.0)  # a sample of a release before knows fewer names
            grown += now - (0 if fell else before.get(name, now))
    return grown


def within(samples: Iterable[Sample], seconds: float) -> list[Sample]:
    """Those of the last so many seconds; `samples` are in order of time."""
    kept = list(samples)
    return [one for one in kept if (kept[-1].at - one.at).total_seconds() <= seconds]
