"""Every knob, with its unit and default; read once by a process's root, from CASEBOOK_*.

`casebook up` writes where its servers listen to DATA/endpoints.json (mode 0600: the PostgreSQL
URL holds a password); a process that is told nothing else finds them there.
"""

import difflib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "CASEBOOK_"


class SettingsInvalid(Exception):
    """A CASEBOOK_* variable is unknown, or its value can't be used."""

    code = "SETTINGS_INVALID"


def default_data() -> Path:
    """Where data lives unless told otherwise: the XDG data folder of this user."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "casebook"


class Settings(BaseModel):
    """One field a knob; the environment variable is CASEBOOK_ and the name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(default_factory=default_data, description="folder of everything kept")
    database_url: SecretStr | None = Field(None, description="postgresql://...; unset: embedded")
    redis_url: SecretStr | None = Field(None, description="redis://, rediss://, unix://...")
    host: str = Field("127.0.0.1", description="address that the HTTP shim listens on")
    port: int = Field(8080, ge=0, le=65535, description="TCP port of the HTTP shim")
    workers: int = Field(1, ge=1, le=64, description="processes for searches, reads and writes")
    node: str = Field(
        default_factory=lambda: socket.gethostname().replace("@", "-"),
        description="name of this node's index and its queue",
    )
    heartbeat: int = Field(6_000, ge=500, description="ms of silence that count as death")
    # A search gives the interpreter up while the engine works and waits to get it back: two threads
    # carried a fifth less than one (benchmarks/system.py). More --workers is what carries more.
    search_threads: int = Field(1, ge=1, le=64, description="threads a process for searches")
    bulk_nice: int = Field(5, ge=0, le=19, description="nice value of importer and indexer")
    read_timeout: float = Field(10.0, gt=0, description="seconds that a read is awaited")
    write_timeout: float = Field(10.0, gt=0, description="seconds that a write is awaited")
    keep_days: int = Field(
        90, ge=1, le=3650, description="days that dead letters, ended tasks and keys of writes stay"
    )
    keep_letters: int = Field(1_000_000, ge=1, description="dead letters kept at most")
    redis_memory: str = Field("1gb", description="maxmemory of the embedded Valkey")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")

    @classmethod
    def load(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        find_servers: bool = True,
        **overrides: Any,
    ) -> "Settings":
        """The settings of this process: overrides, then the environment, then defaults.

        With `find_servers`, servers that nothing names are looked up in DATA/endpoints.json.
        Raises: SettingsInvalid, naming the variable and the nearest one that exists.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for name, value in environment.items():
            if name.startswith(PREFIX):
                values[_known(name)] = value
        values |= {name: value for name, value in overrides.items() if value is not None}
        try:
            settings = cls(**values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else PREFIX
            raise SettingsInvalid(f"{name}: {first['msg']}") from None
        return settings._with_endpoints() if find_servers else settings

    def _with_endpoints(self) -> "Settings":
        try:
            found = orjson.loads((self.data / "endpoints.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return self
        update = {
            name: SecretStr(found[name])
            for name in ("database_url", "redis_url")
            if getattr(self, name) is None and name in found
        }
        if "port" in found and "port" not in self.model_fields_set:
            update["port"] = found["port"]
        return self.model_copy(update=update)

    @property
    def index(self) -> Path:
        """The folder of this node's index."""
        return self.data / "index"

    @property
    def admin_key(self) -> Path:
        """The file that holds the first API key."""
        return self.data / "admin.key"

    def environment(self) -> dict[str, str]:
        """The CASEBOOK_* variables that give a child process these settings."""
        values = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                values[PREFIX + name.upper()] = text
        return values


def _known(name: str) -> str:
    field = name.removeprefix(PREFIX).lower()
    if field in Settings.model_fields:
        return field
    near = difflib.get_close_matches(field, Settings.model_fields, n=1)
    hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
    raise SettingsInvalid(f"{name} is no setting{hint}")
