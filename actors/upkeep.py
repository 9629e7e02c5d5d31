"""What keeps the house: dead letters become rows, and what is old enough goes."""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from actors import letters, tracking
from actors.actor import actor
from actors.broker import dead
from actors.broker.broker import StreamsBroker
from actors.broker.dead import DeadEntry
from actors.dead_letters import audit
from actors.tracking import Place
from contracts.base import Nothing
from contracts.tasks import TaskError
from storage.postgres.store import Row, Store, Transaction

log = logging.getLogger(__name__)

BATCH = 100  # letters a transaction
ASIDE_DAYS = 30  # days that replayed and discarded letters can be restored
ERRORS = 10_000  # groups of errors
MATCHES = 10_000  # kept of each saved search
HEALTH_DAYS = 7  # days of health samples (40,000 of a node) and of spans
STAGE_DAYS = 7  # days that a replace may take from its start to its end
#: A letter's request finds its key for as long as the letter can be replayed, and a week more.
KEYS_LONGER = 7  # days


@dataclass(frozen=True)
class Retention:
    """How long and how many are kept; a resource made by the worker's root from its settings."""

    days: int
    letters: int


@actor(queue="upkeep", time_limit=timedelta(minutes=5))
def archive(request: Nothing, store: Store, broker: StreamsBroker) -> Nothing:
    """Make rows of the dead letters of every queue.

    A letter leaves Redis only after its row is committed: while PostgreSQL is away it stays there.
    """
    for queue in broker.all_queues():
        keys = broker.keys(queue)
        while found := dead.read(broker.link, keys, BATCH):
            with store.transaction() as tx:
                for one in found:
                    _keep(tx, one)
            dead.remove(broker.link, keys, found)
    return Nothing()


def _keep(tx: Transaction, found: DeadEntry) -> None:
    row = letters.to_row(found)
    new = tx.run("dead_letters.keep", **row)
    # Only with its row: its task may have been resumed since, and go on.
    if new and row["task_id"] is not None:
        place = Place(row["task_id"], row["step"], row["member"])
        error = TaskError(
            code=row["error"] or row["reason"], message=row["message"], dead_letter=row["id"]
        )
        tracking.failed(tx, place, error)


@actor(queue="upkeep", time_limit=timedelta(minutes=5))
def prune(request: Nothing, store: Store, retention: Retention) -> Nothing:
    """Remove what is older, or more, than is kept; how much of what is noted in the audit.

    An index that has not followed the feed for so long is built anew.
    """
    _prune(store, "dead_letters.prune", days=retention.days, aside_days=ASIDE_DAYS)
    _prune(store, "dead_letters.prune_over", most=retention.letters)
    _prune(store, "dead_letters.prune_effects", days=retention.days + KEYS_LONGER)
    _prune(store, "tasks.prune", days=retention.days)
    _prune(store, "feed.prune", days=retention.days)
    _prune(store, "health.prune", days=HEALTH_DAYS)
    _prune(store, "traces.prune", days=HEALTH_DAYS)
    _prune(store, "alerts.prune", days=retention.days)
    _prune(store, "errors.prune", days=retention.days, most=ERRORS)
    _prune(store, "saved_searches.prune", days=retention.days, most=MATCHES)
    _prune(store, "staging.prune", days=STAGE_DAYS)
    return Nothing()


def _prune(store: Store, statement: str, **limits: int) -> None:
    while True:
        with store.transaction() as tx:
            gone = tx.rows(statement, **limits)
            if not gone:
                return
            counts = sum((_counted(row) for row in gone), Counter())
            audit(tx, "upkeep", statement, "", {**limits, "removed": dict(counts)})
        log.info("%s: removed %s", statement, dict(counts))


def _counted(row: Row) -> Counter[str]:
    if "removed" in row:
        return Counter(old=row["removed"])
    return Counter([f"{row['state']} {row['reason']}" if "state" in row else "old"])
