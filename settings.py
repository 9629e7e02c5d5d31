"""Every knob, with its unit and default; read once by a process's root, from CASEBOOK_*.

`casebook up` writes where its servers listen to DATA/endpoints.json (mode 0600: the PostgreSQL
URL holds a password); a process that is told nothing else finds them there. A URL may stand in a
file as well: CASEBOOK_DATABASE_URL_FILE names one, for containers and systemd's credentials.
"""

import contextlib
import difflib
import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)

PREFIX = "CASEBOOK_"
SECRETS = ("database_url", "redis_url")
#: What may stand in a file as well.
IN_FILES = (*SECRETS, "cache_url", "embedding_key")
#: Of servers that are embedded: contradicts the URL of one's own.
EMBEDDED = {
    "redis_memory": ("redis_url",),
    "redis_sync": ("redis_url",),
    "cache_memory": ("cache_url", "redis_url"),
}
UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "kb": 1024, "mb": 1024**2, "gb": 1024**3}


#: Those that the engine has both stems and stop words of.
Language = Literal[
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "russian",
    "spanish",
    "swedish",
]


class SettingsInvalid(Exception):
    """A CASEBOOK_* variable is unknown, its value can't be used, or two contradict each other."""

    code = "SETTINGS_INVALID"


@dataclass(frozen=True)
class Unit:
    """What a knob's value counts."""

    name: str


class SecretFile(StrEnum):
    """What stands in the data folder for its owner alone (mode 0600); `casebook doctor` looks."""

    ADMIN_KEY = "admin.key"
    ANALYTICS_KEY = "analytics.key"
    ENDPOINTS = "endpoints.json"
    POSTGRES = "postgres.secret"


class Said(NamedTuple):
    """A value that was given, and where: the variable, the option or the file."""

    value: Any
    origin: str


def default_data() -> Path:
    """$XDG_DATA_HOME/casebook, else ~/.local/share/casebook"""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "casebook"


def default_node() -> str:
    """this host's name"""
    return socket.gethostname().replace("@", "-")


def _scheme(*known: str) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in known)):
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in known)}")
        return url

    return AfterValidator(check)


DatabaseUrl: TypeAlias = Annotated[SecretStr, _scheme("postgresql", "postgres")]
RedisUrl: TypeAlias = Annotated[SecretStr, _scheme("redis", "rediss", "unix")]
Milliseconds: TypeAlias = Annotated[int, Unit("ms")]
Seconds: TypeAlias = Annotated[float, Unit("s")]
#: A number of bytes as Valkey reads it, perhaps with a unit.
Memory: TypeAlias = Annotated[
    str, Unit("bytes"), StringConstraints(pattern=r"(?i)^[1-9]\d*([kmg]b?)?$")
]
Days: TypeAlias = Annotated[int, Unit("days")]


class Settings(BaseModel):
    """One field a knob; the environment variable is CASEBOOK_ and the name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(default_factory=default_data, description="folder of everything kept")
    database_url: DatabaseUrl | None = Field(
        None, description="postgresql://...; unset: what `up` runs"
    )
    redis_url: RedisUrl | None = Field(
        None, description="redis://, rediss:// (TLS), unix://...; unset: what `up` runs"
    )
    cache_url: RedisUrl | None = Field(
        None,
        description="as REDIS_URL, an instance of its own for what is cached; unset: what `up` "
        "runs, or none beside a REDIS_URL",
    )
    host: str = Field("127.0.0.1", description="address that the HTTP shim listens on")
    port: Annotated[int, Unit("TCP port")] = Field(
        8080, ge=0, le=65535, description="where the HTTP shim listens"
    )
    workers: Annotated[int, Unit("processes")] = Field(
        1, ge=1, le=64, description="for searches, reads and writes; `up` starts them"
    )
    node: str = Field(
        default_factory=default_node,
        pattern=r"^[A-Za-z0-9_.-]{1,100}$",
        description="name of this node's index and its queue",
    )
    heartbeat: Milliseconds = Field(6_000, ge=500, description="silence that counts as death")
    # A second thread computes while the first one settles; more than two wait for the interpreter.
    # One carried a fifth less (benchmarks/path.py). More --workers is what carries more.
    search_threads: Annotated[int, Unit("threads")] = Field(
        2, ge=1, le=64, description="of a worker, for searches"
    )
    bulk_nice: Annotated[int, Unit("nice value")] = Field(
        5, ge=0, le=19, description="how far importer and indexer yield the CPU"
    )
    read_timeout: Seconds = Field(10.0, gt=0, description="how long a read is awaited")
    write_timeout: Seconds = Field(10.0, gt=0, description="how long a write is awaited")
    keep_days: Days = Field(
        90, ge=1, le=3650, description="how long dead letters, ended tasks and keys of writes stay"
    )
    keep_letters: Annotated[int, Unit("dead letters")] = Field(
        1_000_000, ge=1, description="kept at most"
    )
    keep_events: Days = Field(
        180, ge=31, le=3650, description="how long events and what they say of queries stay"
    )
    events_rate: Annotated[int, Unit("events/s")] = Field(
        1_000, ge=1, description="events that one key may send"
    )
    analytics_key: SecretStr | None = Field(
        None, description="makes pseudonyms of people in events; unset: DATA/analytics.key"
    )
    redis_memory: Memory = Field(
        "1gb", description="maxmemory of the embedded Valkey, with kb, mb or gb"
    )
    redis_sync: Literal["everysec", "always"] = Field(
        "everysec",
        description="when messages in the embedded Valkey are on the disk: each second, or before "
        "they are acknowledged",
    )
    cache_memory: Memory = Field(
        "500mb", description="maxmemory of the embedded cache, all processes' together"
    )
    hot_memory: Memory = Field("100mb", description="what the shim's process caches in itself")
    warm_queries: Annotated[int, Unit("queries")] = Field(
        200, ge=1, le=5_000, description="popular ones whose answers are kept warm"
    )
    warm_within: Seconds = Field(
        20.0, gt=0, le=3_600, description="how long one run of warming may take"
    )
    warm_rate: Annotated[float, Unit("answers/s")] = Field(
        50.0, gt=0, description="that warming computes at most"
    )
    metrics: bool = Field(True, description="measure, and answer /metrics")
    metrics_host: str = Field("127.0.0.1", description="address of workers' /metrics")
    metrics_port: Annotated[int, Unit("TCP port")] = Field(
        0, ge=0, le=65535, description="where a worker's /metrics listens; 0: any free one"
    )
    slow_ms: Annotated[float, Unit("ms")] = Field(
        1_000, gt=0, description="from when on an operation is slow"
    )
    slow_sql_ms: Annotated[float, Unit("ms")] = Field(
        200, gt=0, description="from when on a statement is slow, and its plan looked up"
    )
    alert_webhook: str = Field("", description="URL that alerts are posted to")
    alert_webhook_secret: SecretStr | None = Field(None, description="key that signs them")
    alert_smtp: SecretStr | None = Field(
        None, description="smtp://USER:PASSWORD@HOST:25 or smtps://...; alerts are mailed by it"
    )
    alert_from: str = Field("", description="sender of mailed alerts")
    alert_to: str = Field("", description="recipients of mailed alerts, separated by commas")
    language: Language = Field(
        "english", description="whose stems and stop words the index has; another is built anew"
    )
    search_webhooks: str = Field(
        "",
        description="hosts (HOST or HOST:PORT, by commas) that saved searches may post to",
    )
    embedding: Literal["wordllama", "openai"] = Field(
        "wordllama", description="what makes vectors: a model in a package, or an HTTP endpoint"
    )
    embedding_url: str = Field(
        "", pattern=r"^(https?://.+)?$", description="that endpoint, as https://HOST/v1"
    )
    embedding_model: str = Field("", description="its model's name")
    embedding_key: SecretStr | None = Field(None, description="its key")
    embedding_timeout: Seconds = Field(5.0, gt=0, description="how long it is awaited")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="the least that is logged"
    )
    log_format: Literal["auto", "json", "pretty"] = Field(
        "auto", description="of a log's lines; auto: pretty on a terminal, else JSON"
    )

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
        return cls.traced(environment, find_servers=find_servers, **overrides)[0]

    @classmethod
    def traced(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        find_servers: bool = True,
        **overrides: Any,
    ) -> "tuple[Settings, dict[str, str]]":
        """As `load`, and for each knob that has not its default, where its value came from."""
        said = _said(os.environ if environment is None else environment)
        for name, value in overrides.items():
            if value is not None:
                said[name] = Said(value, f"option --{name}")
        for knob, urls in EMBEDDED.items():
            if knob in said and (url := next((url for url in urls if url in said), None)):
                _contradict(said[knob], said[url], "a server of one's own has its own")
        try:
            settings = cls(**{name: one.value for name, one in said.items()})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            problem = first["msg"].removeprefix("Value error, ")
            raise SettingsInvalid(f"{said[str(first['loc'][0])].origin}: {problem}") from None
        if find_servers:
            found = settings._found(said)
            settings = settings.model_copy(update={name: one.value for name, one in found.items()})
            said |= found
        return settings, {name: one.origin for name, one in said.items()}

    def _found(self, said: Mapping[str, Said]) -> dict[str, Said]:
        """What runs on DATA, as far as nothing else was said.

        The queue of one Casebook and the database of another make no third one: SettingsInvalid.
        """
        file = self.data / SecretFile.ENDPOINTS
        try:
            found = orjson.loads(file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        servers = {
            name: Said(SecretStr(found[name]), str(file)) for name in SECRETS if name in found
        }
        others = [
            name for name in servers if name in said and servers[name].value != getattr(self, name)
        ]
        missing = [name for name in servers if name not in said]
        if others and missing:
            hint = f"set {PREFIX}{missing[0].upper()} as well, or neither"
            _contradict(said[others[0]], servers[missing[0]], f"they are two Casebooks; {hint}")
        if "cache_url" in found and not others:
            servers["cache_url"] = Said(SecretStr(found["cache_url"]), str(file))
        if "port" in found:
            servers["port"] = Said(found["port"], str(file))
        return {name: one for name, one in servers.items() if name not in said}

    @property
    def index(self) -> Path:
        """The folder of this node's index."""
        return self.data / "index"

    @property
    def hot_bytes(self) -> int:
        """`hot_memory` as a number."""
        digits = self.hot_memory.rstrip("kmgbKMGB")
        return int(digits) * UNITS[self.hot_memory.removeprefix(digits).lower()]

    @property
    def admin_key(self) -> Path:
        """The file that holds the first API key."""
        return self.data / SecretFile.ADMIN_KEY

    def secrets(self) -> list[str]:
        """What must stand in no log: every secret, and the passwords in those that are URLs."""
        found = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                text = value.get_secret_value()
                with contextlib.suppress(ValueError):  # a key is no URL
                    password = urlsplit(text).password or ""
                    found += [password, unquote(password)]
                found.append(text)
        return [one for one in found if one]

    def environment(self) -> dict[str, str]:
        """The environment of a child process: this one's, with these settings and no others."""
        values = {name: one for name, one in os.environ.items() if not name.startswith(PREFIX)}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is None or any(getattr(self, url) for url in EMBEDDED.get(name, ())):
                continue
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            values[PREFIX + name.upper()] = text
        return values


def _said(environment: Mapping[str, str]) -> dict[str, Said]:
    """What the environment says, by knob. Raises: SettingsInvalid."""
    said: dict[str, Said] = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        knob = _known(name)
        one = Said(_content(name, value), name) if name.endswith("_FILE") else Said(value, name)
        if knob in said:
            _contradict(said[knob], one, "which of them?")
        said[knob] = one
    return said


def variables() -> dict[str, str]:
    """Every variable, and the knob that it sets."""
    known = {PREFIX + field.upper(): field for field in Settings.model_fields}
    return known | {f"{PREFIX}{field.upper()}_FILE": field for field in IN_FILES}


def _known(name: str) -> str:
    known = variables()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise SettingsInvalid(f"{name} is no setting{hint}")


def _content(name: str, file: str) -> str:
    """The secret in a file that not everyone may read. Raises: SettingsInvalid."""
    try:
        if Path(file).stat().st_mode & stat.S_IROTH:
            raise SettingsInvalid(f"{name}: everyone may read {file}; chmod it to 600.")
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{name}: {file} can't be read ({error}).") from None


def _contradict(one: Said, other: Said, why: str) -> None:
    raise SettingsInvalid(f"{one.origin} and {other.origin} contradict each other: {why}.")
