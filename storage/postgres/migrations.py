"""Forward migrations: `migrations/NNNN_name.sql`, each applied once, in one transaction."""

from importlib.resources import files

import psycopg
from psycopg.rows import dict_row

from contracts.entries import PRESET_CATEGORIES
from storage.postgres.statements import statement
from storage.postgres.store import Store, translated

LOCK = 0x6361736562  # "caseb": one migration at a time in a database


def known() -> list[tuple[int, str, bytes]]:
    """Every migration of this release as `(version, name, SQL)`, in order."""
    found = []
    for file in files("storage.postgres").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            version, _, name = file.name.removesuffix(".sql").partition("_")
            found.append((int(version), name, file.read_bytes()))
    return sorted(found)


def migrate(url: str) -> list[str]:
    """Bring the database at `url` up to this release; the names of what was applied.

    Several processes may call it at once. Raises: DatabaseUnavailable.
    """
    applied = []
    with (
        translated(),
        psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=5) as session,
    ):
        session.execute("select pg_advisory_lock(%s)", [LOCK])
        session.execute(
            "create table if not exists schema_migrations ("
            "version integer primary key, name text not null,"
            " applied_at timestamptz not null default now())"
        )
        done = {row["version"] for row in session.execute(statement("system.schema_versions"))}
        for version, name, sql in known():
            # Not by the newest: two branches may have numbered theirs before they met.
            if version not in done:
                with session.transaction():
                    session.execute(sql)
                    session.execute(
                        "insert into schema_migrations (version, name) values (%s, %s)",
                        [version, name],
                    )
                applied.append(f"{version:04} {name}")
        for key, name, parent in PRESET_CATEGORIES:
            session.execute(
                statement("entries.preset_category"), {"key": key, "name": name, "parent": parent}
            )
    return applied


def schema_version(store: Store) -> int:
    """The newest migration applied. Raises SchemaMissing for an empty database."""
    with store.transaction() as tx:
        row = tx.row("system.schema_version")
        assert row is not None
        return int(row["version"])
