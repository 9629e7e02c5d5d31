"""PostgreSQL as a child process, on a unix socket, with its data in the data folder."""

import contextlib
import signal
import subprocess
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from deploy import binaries, cluster, orphans
from deploy.accounts import hand_over, let_pass, postgres_identity
from deploy.errors import DeployError, PostgresNotStarted, ServerNotStarted
from deploy.process import Identity, stop
from deploy.server import Server

PORT = 5432
"""Only a part of the socket's name: nothing listens on TCP."""

_HELPER_LIMIT = 120.0
"""Seconds for `initdb`, which takes less than one on an idle machine."""

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    # Memory: small when idle, enough for a bulk import.
    "max_connections": "60",
    "shared_buffers": "32MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "jit": "off",
    "max_logical_replication_workers": "0",
    # What is acknowledged is on disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Bulk imports: few, long checkpoints.
    "wal_level": "replica",
    "wal_buffers": "4MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %q%a ",  # for whom: an operation's id, then an actor
    "logging_collector": "off",
}


class PostgresUrl(str):
    """A connection URL that hides its password when it's shown with `repr`, as tracebacks do."""

    __slots__ = ()

    def __repr__(self) -> str:
        start, _, rest = self.partition("://")
        return f"'{start}://{cluster.ROLE}:***@{rest.partition('@')[2]}'"


class EmbeddedPostgres(Server):
    """PostgreSQL in `data`: DATA/postgres, the socket in DATA/run, the log in DATA/logs.

    Clients authenticate (SCRAM) with a secret that the first start generates. The same folder
    can be used as root and, after a change of its owner, as anyone else, and the other way round.
    """

    name: ClassVar[str] = "postgres"
    # Fast shutdown: SIGTERM would wait until the last client has left.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    error: ClassVar[type[ServerNotStarted]] = PostgresNotStarted

    @property
    def url(self) -> PostgresUrl:
        """`postgresql://…` for psycopg, with the secret in it. Other processes may ask as well.

        Raises: DeployError when the folder has never been started, DataFolderUnwritable.
        """
        with self.folder.writing():
            try:
                secret = self.folder.secret.read_text()
            except FileNotFoundError:
                missing = f"There is no database in {self.folder.path}: start it first."
                raise DeployError(missing) from None
        host = quote(str(self.folder.known_sockets()), safe="")
        return PostgresUrl(
            f"postgresql://{cluster.ROLE}:{secret}@/postgres?host={host}&port={PORT}"
        )

    def _prepare(self) -> tuple[list[str], Identity]:
        found = binaries.postgres_folder()
        sockets = self.folder.sockets()
        orphans.end_postgres(self.folder.postgres, sockets)
        identity = postgres_identity(self.folder.postgres)
        let_pass(self.folder.path, identity)
        hand_over(sockets, identity)
        self._make_whole(found, identity)
        return self._command(found, sockets), identity

    def _make_whole(self, found: Path, identity: Identity) -> None:
        """See that there are a cluster and a secret that fit each other."""

        def run(argv: list[str], stdin: int) -> bool:
            helper = self._spawn(argv, identity, stdin)
            with contextlib.suppress(subprocess.TimeoutExpired):
                helper.wait(_HELPER_LIMIT)
            return stop(helper, signal.SIGTERM, 1.0) and helper.returncode == 0

        made = (self.folder.postgres / "PG_VERSION").exists()
        if not made and not cluster.create(self.folder, found, identity, run):
            raise self._failure("initdb failed.", "Nothing was lost: there was no database yet.")
        hand_over(self.folder.postgres, identity)
        known = self.folder.secret.exists()
        if not known and not cluster.replace_secret(self.folder, found, identity, run):
            raise self._failure(f"{self.folder.secret} is missing and couldn't be replaced.")

    def _command(self, found: Path, sockets: Path) -> list[str]:
        # The server reads a list here: in quotes the path is one item, whatever is in it.
        quoted = '"{}"'.format(str(sockets).replace('"', '""'))
        settings = {**_SETTINGS, "unix_socket_directories": quoted}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(found / "postgres"), "-D", str(self.folder.postgres), *options]

    def _answers(self) -> bool:
        """The server itself says so: the last line of postmaster.pid (`pg_ctl` reads it too)."""
        try:
            lines = (
                (self.folder.postgres / "postmaster.pid").read_text(errors="replace").splitlines()
            )
        except OSError:
            return False
        ours = self.process is not None and lines[:1] == [str(self.process.pid)]
        return ours and len(lines) >= 8 and lines[7].strip() == "ready"
