"""Questions about the running system."""

from actors.actor import actor
from contracts.errors import Unauthorized
from contracts.system import AskDatabase, DatabaseStatus, KeyVerified, VerifyKey
from storage.postgres.migrations import missing, schema_version
from storage.postgres.store import Store


@actor(queue="reads", read=True)
def verify_key(request: VerifyKey, store: Store) -> KeyVerified:
    """Whose key this is. Raises: Unauthorized for a key that nobody was given."""
    with store.transaction() as tx:
        row = tx.row("system.key_name", digest=request.digest)
    if row is None:
        raise Unauthorized("This key is not known.")
    return KeyVerified(name=row["name"])


@actor(queue="reads", read=True)
def database(request: AskDatabase, store: Store) -> DatabaseStatus:
    """What PostgreSQL holds, and whether something holds its change feed back."""
    version = schema_version(store)
    with store.transaction() as tx:
        stock = None if request.count else tx.row("system.stock")
        stock = stock or tx.row("system.count_stock")
        row = tx.row("system.status")
        head = tx.row("feed.head")
        assert row is not None
        assert stock is not None
        position = tx.position(head["txid"], head["seq"]) if head else tx.position(0, 0)
    return DatabaseStatus(
        schema_version=version,
        position=str(position),
        missing_migrations=tuple(missing(store)),
        **stock,
        **row,
    )
