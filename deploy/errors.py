"""What can go wrong while a data folder is prepared and its servers are started."""

from pathlib import Path
from typing import ClassVar


class DeployError(Exception):
    """Casebook could not be brought up here."""

    code: ClassVar[str] = "DEPLOY_FAILED"


class DataFolderLocked(DeployError):
    """Another process is already running on this data folder."""

    code = "DATA_FOLDER_LOCKED"


class DataFolderUnwritable(DeployError):
    """The data folder can't be created or written."""

    code = "DATA_FOLDER_UNWRITABLE"


class ServerBinaryMissing(DeployError):
    """No executable of this server was found, neither in the installed packages nor on PATH."""

    code = "SERVER_BINARY_MISSING"


class ServerNotStarted(DeployError):
    """A server didn't come up; the message says what happened, what was kept and what to do."""

    code = "SERVER_NOT_STARTED"

    def __init__(self, happened: str, *, kept: str, advice: str, log: Path, tail: str) -> None:
        quoted = f"The end of {log}:\n{tail}" if tail else f"{log} has no line about it."
        super().__init__(f"{happened} {kept} {advice}\n{quoted}")


class PostgresNotStarted(ServerNotStarted):
    """PostgreSQL didn't come up."""

    code = "POSTGRES_NOT_STARTED"


class RedisNotStarted(ServerNotStarted):
    """The server that speaks the Redis protocol didn't come up."""

    code = "REDIS_NOT_STARTED"


class PortInUse(DeployError):
    """The address that the HTTP shim should listen on is taken."""

    code = "PORT_IN_USE"


class NothingHere(DeployError):
    """There is no data, or no file, in the place that was named."""

    code = "NOTHING_HERE"


class BackupNotWritten(DeployError):
    """The backup's file could not be written; nothing of it is left."""

    code = "BACKUP_NOT_WRITTEN"
