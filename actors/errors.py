"""The error log: recorded in batches, listed, put aside."""

import orjson

from actors.actor import actor
from contracts.errors import ErrorNotFound
from contracts.failures import (
    Failure,
    Failures,
    ListFailures,
    Recorded,
    RecordFailures,
    ResolveFailure,
)
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction


@actor(queue="health")
def record(command: RecordFailures, store: Store) -> Recorded:
    """Add what a process met; a batch that comes again adds nothing."""

    def effect(tx: Transaction) -> Recorded:
        seen = orjson.dumps([one.model_dump(mode="json") for one in command.seen])
        return Recorded(groups=tx.run("errors.record", seen=seen.decode()))

    return once(store, "errors.record", command, Recorded, effect)


@actor(queue="operators", read=True)
def list_page(request: ListFailures, store: Store) -> Failures:
    """Groups of errors, the last seen first."""
    with store.transaction() as tx:
        rows = tx.rows("errors.list", **request.model_dump())
    return Failures(errors=tuple(_failure(row) for row in rows))


@actor(queue="operators")
def resolve(command: ResolveFailure, store: Store) -> Failure:
    """Put a group aside; seen again, it is back. Raises: ErrorNotFound."""

    def effect(tx: Transaction) -> Failure:
        row = tx.row("errors.resolve", fingerprint=command.fingerprint, by=command.by)
        if row is None:
            raise ErrorNotFound()
        return _failure(row)

    return once(store, "errors.resolve", command, Failure, effect)


def _failure(row: Row) -> Failure:
    return Failure(**{name: row[name] for name in Failure.model_fields})
