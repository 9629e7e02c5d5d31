"""What operations did: recorded in batches, told by id, the slow ones by what they took."""

from uuid import UUID

import orjson

from actors.actor import actor
from contracts.base import Nothing
from contracts.traces import (
    GetTrace,
    ListSlow,
    RecordSpans,
    SlowOperation,
    SlowOperations,
    SlowStatement,
    Span,
    Trace,
    TracedError,
    TracedLetter,
    TracedTask,
)
from storage.postgres.store import Store


@actor(queue="health")
def record(request: RecordSpans, store: Store) -> Nothing:
    """Store spans. Their message and time are their key."""
    spans = orjson.dumps([span.model_dump(mode="json") for span in request.spans])
    with store.transaction() as tx:
        tx.run("traces.record", spans=spans.decode())
    return Nothing()


@actor(queue="operators", read=True)
def get(request: GetTrace, store: Store) -> Trace:
    """All that is known of an operation, a message or a task."""
    ids, uuids = [request.id], list[UUID]()
    try:
        uuids = [UUID(request.id)]
        ids += [str(uuids[0]), uuids[0].hex]
    except ValueError:
        pass  # a caller's own id need not be one
    both = {"ids": ids, "uuids": uuids}
    with store.transaction() as tx:
        return Trace(
            spans=tuple(Span(**row) for row in tx.rows("traces.spans", **both)),
            letters=tuple(TracedLetter(**row) for row in tx.rows("traces.letters", **both)),
            errors=tuple(TracedError(**row) for row in tx.rows("traces.errors", ids=ids)),
            tasks=tuple(TracedTask(**row) for row in tx.rows("traces.tasks", uuids=uuids)),
        )


@actor(queue="operators", read=True)
def slow(request: ListSlow, store: Store) -> SlowOperations:
    """Actors whose slow deliveries took most in total, and statements that did."""
    with store.transaction() as tx:
        return SlowOperations(
            operations=tuple(
                SlowOperation(**row) for row in tx.rows("traces.slow", **request.model_dump())
            ),
            statements=tuple(
                SlowStatement(**row)
                for row in tx.rows("traces.slow_statements", **request.model_dump())
            ),
        )
