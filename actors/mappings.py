"""Mappings under a name, for every producer that imports from the same kind of source."""

from actors.actor import actor
from contracts.base import Nothing
from contracts.errors import MappingNotFound
from contracts.mappings import (
    DeleteMapping,
    GetMapping,
    MappingDeleted,
    SavedMapping,
    SavedMappings,
    SaveMapping,
)
from storage.postgres.effects import once
from storage.postgres.store import Store, Transaction

MOST = 1000  # mappings in a list


@actor(queue="entries")
def save(command: SaveMapping, store: Store) -> SavedMapping:
    """Keep a shape under its name."""

    def effect(tx: Transaction) -> SavedMapping:
        shape = command.shape.model_dump_json()
        row = tx.row("mappings.save", name=command.name, shape=shape, by=command.by)
        return SavedMapping.model_validate(row)

    return once(store, "mappings.save", command, SavedMapping, effect)


@actor(queue="entries")
def delete(command: DeleteMapping, store: Store) -> MappingDeleted:
    """Forget a shape. Raises: MappingNotFound."""

    def effect(tx: Transaction) -> MappingDeleted:
        if tx.row("mappings.delete", name=command.name) is None:
            raise MappingNotFound(name=command.name)
        return MappingDeleted(name=command.name)

    return once(store, "mappings.delete", command, MappingDeleted, effect)


@actor(queue="reads", read=True)
def get(request: GetMapping, store: Store) -> SavedMapping:
    """The shape under a name. Raises: MappingNotFound."""
    with store.transaction() as tx:
        row = tx.row("mappings.get", name=request.name)
    if row is None:
        raise MappingNotFound(f"No mapping is saved as {request.name!r}.", name=request.name)
    return SavedMapping.model_validate(row)


@actor(queue="reads", read=True)
def list_all(request: Nothing, store: Store) -> SavedMappings:
    """Every mapping by name, at most MOST."""
    with store.transaction() as tx:
        rows = tx.rows("mappings.list", limit=MOST)
    return SavedMappings(mappings=tuple(SavedMapping.model_validate(row) for row in rows))
