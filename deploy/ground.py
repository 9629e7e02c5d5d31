"""Prepares the ground: the schema, and the first API key."""

import hashlib
import secrets

from deploy.folder import DataFolder, write_secret
from settings import Settings
from storage.postgres.migrations import migrate
from storage.postgres.plans import Planned
from storage.postgres.plans import plan as plan_migrations
from storage.postgres.store import Store


def prepare(settings: Settings) -> list[str]:
    """Migrate the database and make sure that the key in DATA/admin.key opens it.

    Returns the names of the migrations applied. Raises: DatabaseUnavailable,
    DataFolderUnwritable.
    """
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    applied = migrate(url)
    folder = DataFolder(settings.data)
    with folder.writing():
        folder.create()
        if not settings.admin_key.exists():
            write_secret(settings.admin_key, f"casebook_{secrets.token_urlsafe(32)}\n")
        key = settings.admin_key.read_text().strip()
    store = Store(url, most=1, name="casebook migrate")
    store.open()
    try:
        with store.transaction() as tx:
            digest = hashlib.sha256(key.encode()).hexdigest()
            tx.run("system.add_key", digest=digest, name="admin")
    finally:
        store.close()
    return applied


def plan(settings: Settings) -> list[Planned]:
    """What `prepare` would apply now. Raises: DatabaseUnavailable."""
    assert settings.database_url is not None
    return plan_migrations(settings.database_url.get_secret_value())
