"""`casebook up`: everything on this machine, as children of one supervisor."""

import http.client
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
from pydantic import SecretStr

from deploy import ground
from deploy.folder import DataFolder, write_secret
from deploy.lock import DataLock
from deploy.ports import refuse_taken_port
from deploy.postgres import EmbeddedPostgres
from deploy.process import spawn, stop
from deploy.server import Server
from deploy.supervisor import Child, Supervisor
from deploy.valkey import EmbeddedCache, EmbeddedValkey
from settings import SecretFile, Settings

SAMPLE = Path(__file__).parent / "sample"
STOP_WITHIN = 5.0  # seconds
SAMPLE_WITHIN = 15.0  # seconds that being ready waits for the sample
READY_TIMEOUT = 0.5  # seconds that one question whether the shim is ready may take

#: glibc keeps what many threads freed, each in an arena of its own, unless it is told to give it
#: back: 30 MB of all processes together after an import of 64,533 entries.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "200000"}

Report = Callable[[str], None]


class Local:
    """One Casebook in one data folder.

    `settings` name servers of one's own, or leave `database_url` and `redis_url` to the embedded
    ones. Who brings a Redis and names no `cache_url` has no warm layer of the cache.
    """

    def __init__(self, settings: Settings, *, sample: bool, report: Report) -> None:
        self._settings = settings
        self._sample = sample
        self._report = report
        self._folder = DataFolder(settings.data)
        self._loader: subprocess.Popen[bytes] | None = None
        self._postgres = None if settings.database_url else EmbeddedPostgres(settings.data)
        self._valkey = (
            None
            if settings.redis_url
            else EmbeddedValkey(settings.data, settings.redis_memory, settings.redis_sync)
        )
        self._cache = (
            None
            if settings.redis_url or settings.cache_url
            else EmbeddedCache(settings.data, maxmemory=settings.cache_memory)
        )

    def run(self, on_ready: Callable[[Settings], None]) -> None:
        """Run until SIGINT or SIGTERM; `on_ready` is called once everything answers.

        Raises: DeployError, DatabaseUnavailable (own servers); everything is stopped then.
        """
        servers: list[Server] = [one for one in (self._postgres, self._valkey) if one]
        with DataLock(self._settings.data) as lock:
            refuse_taken_port(self._settings.host, self._settings.port)

            def ready() -> None:
                self._end_sample()
                lock.announce(url_of(self._settings))
                on_ready(self._settings)

            supervisor = Supervisor(
                self._settings.data,
                servers,
                spare=[self._cache] if self._cache else (),
                report=self._report,
            )
            try:
                supervisor.run(self._children, ready)
            finally:
                if self._loader is not None:
                    stop(self._loader, signal.SIGTERM, STOP_WITHIN)
                self._endpoints.unlink(missing_ok=True)

    @property
    def _endpoints(self) -> Path:
        return self._settings.data / SecretFile.ENDPOINTS

    def _children(self) -> Sequence[Child]:
        update = {}
        if self._postgres:
            update["database_url"] = SecretStr(self._postgres.url)
        if self._valkey:
            update["redis_url"] = SecretStr(self._valkey.url)
        if self._cache:
            update["cache_url"] = SecretStr(self._cache.url)
        self._settings = self._settings.model_copy(update=update)
        for name in ground.prepare(self._settings):
            self._report(f"migration {name} applied.")
        self._write_endpoints()
        self._begin_sample()
        workers = [self._child(f"worker-{n}", "worker") for n in range(self._settings.workers)]
        return [
            self._child("indexer", "indexer"),
            *workers,
            self._child("importer", "importer"),
            Child(
                "shim",
                [sys.executable, "-m", "shim.app"],
                self._environment(),
                ready=lambda: _is_ready(self._settings),
            ),
        ]

    def _child(self, name: str, role: str) -> Child:
        return Child(name, [sys.executable, "-m", "actors.worker", role], self._environment())

    def _environment(self) -> dict[str, str]:
        """Settings travel in the environment: a URL may hold a password, and argv is public."""
        return {**MEMORY, **self._settings.environment(), "PYTHONUNBUFFERED": "1"}

    def _write_endpoints(self) -> None:
        assert self._settings.database_url is not None
        assert self._settings.redis_url is not None
        found = {
            "database_url": self._settings.database_url.get_secret_value(),
            "redis_url": self._settings.redis_url.get_secret_value(),
            "port": self._settings.port,
        }
        if self._settings.cache_url is not None:
            found["cache_url"] = self._settings.cache_url.get_secret_value()
        with self._folder.writing():
            write_secret(self._endpoints, orjson.dumps(found).decode())

    @property
    def _sample_marker(self) -> Path:
        return self._settings.data / "sample.loaded"

    def _begin_sample(self) -> None:
        """On the first start only: what people did with the sample since is theirs.

        It is sent while the workers start; they find it in their queue.
        """
        if not self._sample or self._sample_marker.exists():
            return
        files = sorted(str(file) for file in SAMPLE.rglob("*.md"))
        with self._folder.writing():
            self._loader = spawn(
                [sys.executable, "-m", "cli", "import", "--source", "sample", "--quiet", *files],
                env=self._environment(),
                log=self._folder.log("sample"),
                death_signal=signal.SIGTERM,
            )

    def _end_sample(self) -> None:
        if self._loader is None:
            return
        log = self._folder.log("sample")
        try:
            code = self._loader.wait(SAMPLE_WITHIN)
        except subprocess.TimeoutExpired:
            # Not longer: nobody watches over the workers meanwhile, nor hears a Ctrl-C.
            self._report(f"the sample is still on its way, and is sent again next time; see {log}.")
            return
        if code == 0:
            self._sample_marker.touch(mode=0o600)
            self._report("the sample is loaded.")
        else:
            self._report(f"the sample was not loaded, and is tried again next time; see {log}.")


def url_of(settings: Settings) -> str:
    """Where the shim serves."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _is_ready(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=READY_TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except http.client.HTTPException:
        return False
    finally:
        connection.close()
