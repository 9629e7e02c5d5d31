"""Done once: a write's key is kept in the transaction of its effect."""

from collections.abc import Callable
from typing import TypeVar

from contracts.base import Contract, Write
from contracts.errors import KeyReused
from storage.postgres.digests import request_digest
from storage.postgres.store import Store, Transaction

R = TypeVar("R", bound=Contract)


def once(
    store: Store, operation: str, command: Write, reply: type[R], effect: Callable[[Transaction], R]
) -> R:
    """Run `effect`, or answer with what the first arrival of `command.key` answered.

    An effect that raises leaves no key behind. Two arrivals at once: the second waits for the
    first's transaction. Raises: KeyReused for another body, and what `effect` raises.
    """
    digest = request_digest(command.model_dump(mode="json", exclude={"key"}))
    with store.transaction() as tx:
        if tx.row("effects.claim", key=command.key, operation=operation, digest=digest) is None:
            first = tx.row("effects.first", key=command.key)
            assert first is not None
            if first["operation"] != operation or first["digest"] != digest:
                raise KeyReused(key=command.key, first_operation=first["operation"])
            return reply.model_validate_json(first["reply"])
        result = effect(tx)
        tx.run("effects.answer", key=command.key, reply=result.model_dump_json())
        return result
