"""What the system asks of itself, and how often."""

import functools
from datetime import timedelta

from actors import (
    analytics,
    health,
    index,
    saved_searches,
    semantic,
    tasks,
    tuning,
    upkeep,
    warming,
)
from actors.alerting.samples import Node, facts
from actors.broker.ticker import Periodic
from actors.queues import queue_of
from contracts.analytics import RollUp
from contracts.base import Nothing
from contracts.search import CheckIndex
from contracts.warming import WarmAnswers
from storage.index.searcher import IndexReader

#: A row's name is for good: its last tick is kept under it.
SCHEDULE: tuple[Periodic, ...] = (
    Periodic("archive", timedelta(seconds=10), upkeep.archive, Nothing()),
    Periodic("vectors", semantic.EVERY, semantic.follow, Nothing()),
    Periodic("sweep", timedelta(seconds=30), tasks.sweep, Nothing()),
    Periodic("prune", timedelta(days=1), upkeep.prune, Nothing(), offset=timedelta(hours=3)),
    Periodic("roll_up", timedelta(minutes=1), analytics.roll_up, RollUp()),
    Periodic("match", saved_searches.EVERY, saved_searches.match, Nothing()),
    Periodic("popularise", tuning.POPULAR_EVERY, tuning.popularise, Nothing()),
    Periodic("warm", warming.EVERY, warming.warm, WarmAnswers()),
    Periodic("events", timedelta(days=1), analytics.keep, Nothing(), offset=timedelta(hours=4)),
)


def of_importer(node: Node, index: IndexReader) -> tuple[Periodic, ...]:
    """What an importer asks of the system: to judge its node, each by its own facts."""
    request = functools.partial(facts, node, index)
    return (Periodic(f"observe {node.name}", health.EVERY, health.judge, request),)


def of_node(node: str) -> tuple[Periodic, ...]:
    """What an indexer asks of itself: each minute it checks 64 MB of its index."""
    request, queue = CheckIndex(whole=False), queue_of(node)
    return (Periodic(f"check {node}", timedelta(minutes=1), index.check, request, queue=queue),)
