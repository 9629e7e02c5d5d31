"""Backup and restore: which database, which file, and what has to follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from contracts.backup import Manifest
from contracts.errors import LiveData
from deploy import archive, ground
from deploy.archive import Archive, Report
from deploy.errors import BackupNotWritten, NothingHere
from deploy.lock import DataLock
from deploy.postgres import EmbeddedPostgres
from settings import Settings
from storage.postgres import restoring
from storage.postgres.snapshot import snapshot


def backup(settings: Settings, where: Path, report: Report) -> tuple[Path, Manifest]:
    """Write the database's rows of this moment to `where`, a new file, or a folder for one.

    Raises: NothingHere, BackupNotWritten, DataFolderLocked, DatabaseUnavailable, SchemaMissing.
    """
    if settings.database_url is None and not (settings.data / "postgres").exists():
        raise NothingHere(
            f"There is no Casebook in {settings.data}, so there is nothing to back up."
        )
    file = where / _name() if where.is_dir() else where
    try:
        with _database(settings) as here, snapshot(_url(here)) as moment:
            return file, archive.write(file, moment, report)
    except OSError as error:
        raise BackupNotWritten(f"{file} was not written: {error.strerror or error}.") from error


def restore(
    settings: Settings, file: Path, *, replace: bool, by: str, report: Report
) -> tuple[Manifest, list[str]]:
    """Put the backup in `file` in place of the database, and make this place's key open it.

    Raises: BackupDamaged, BackupOfLaterRelease, LiveData, NothingHere, DataFolderLocked,
    DatabaseUnavailable, DatabaseBusy; nothing was changed then.
    """
    with _opened(file) as found:
        restoring.refuse_later(found.manifest)
        with _database(settings) as here:
            try:
                restoring.restore(_url(here), found, replace=replace, by=by, report=report)
            except LiveData as error:
                raise LiveData(
                    f"{settings.data if settings.database_url is None else 'The database'} is in "
                    f"use ({error.details['table']} has rows), and nothing was touched. Restore "
                    "into another place (--data), or replace all that is there with --replace."
                ) from None
            return found.manifest, ground.prepare(here)


def check(file: Path) -> Manifest:
    """What a backup holds, once every byte of it was checked. Raises: as `restore`."""
    with _opened(file) as found:
        restoring.refuse_later(found.manifest)
        return found.manifest


def _opened(file: Path) -> Archive:
    try:
        return Archive(file)
    except OSError as error:
        raise NothingHere(f"{file} can't be read: {error.strerror or error}.") from error


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """The settings with a database that answers: the one that runs, or one that runs for this."""
    if settings.database_url is not None:
        yield settings
        return
    with DataLock(settings.data):
        server = EmbeddedPostgres(settings.data)
        server.start()
        try:
            yield settings.model_copy(update={"database_url": SecretStr(server.url)})
        finally:
            server.stop()


def _url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def _name() -> str:
    return f"casebook-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup"
