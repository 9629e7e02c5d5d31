"""Done once: a write's key is kept in the transaction of its effect."""

from collections.abc import Callable
from typing import TypeVar

from contracts.base import Contract, Write
from contracts.errors import EffectDone, KeyReused
from storage.postgres.digests import request_digest
from storage.postgres.store import Store, Transaction

R = TypeVar("R", bound=Contract)


def once(
    store: Store, operation: str, command: Write, reply: type[R], effect: Callable[[Transaction], R]
) -> R:
    """Run `effect`, or answer with what the first arrival of `command.key` answered.

    An effect that raises leaves no key behind. Two arrivals at once: the second waits for the
    first's transaction. A request that was edited takes the key of the first one too, so that only
    one of them takes effect. Raises: KeyReused for another body, EffectDone when the request that
    this one was edited from took effect after all, and what `effect` raises.
    """
    digest = request_digest(command.model_dump(mode="json", exclude={"key", "instead_of"}))
    with store.transaction() as tx:
        if tx.row("effects.claim", key=command.key, operation=operation, digest=digest) is None:
            first = tx.row("effects.first", key=command.key)
            assert first is not None
            if first["operation"] != operation or first["digest"] != digest:
                raise KeyReused(key=command.key, first_operation=first["operation"])
            return reply.from_json(first["reply"])
        keys = [command.key]
        if command.instead_of is not None:
            keys.append(command.instead_of)
            if tx.row("effects.claim", key=keys[1], operation=operation, digest=digest) is None:
                raise EffectDone(key=keys[1])
        result = effect(tx)
        for key in keys:
            tx.run("effects.answer", key=key, reply=result.model_dump_json())
        return result
