"""Settings: from the environment, once, and never silently wrong."""

from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from settings import Settings, SettingsInvalid


def test_overrides_win_over_the_environment_over_defaults(tmp_path: Path) -> None:
    """What was said last and nearest counts; None says nothing."""
    environment = {"CASEBOOK_PORT": "9000", "CASEBOOK_DATA": str(tmp_path), "HOME": "/x"}
    assert Settings.load(environment).port == 9000
    assert Settings.load(environment, port=9001, workers=None).port == 9001
    assert Settings.load({"CASEBOOK_DATA": str(tmp_path)}).port == 8080


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("CASEBOOK_PROT", "1", "CASEBOOK_PORT"),
        ("CASEBOOK_PORT", "many", "CASEBOOK_PORT"),
        ("CASEBOOK_WORKERS", "0", "CASEBOOK_WORKERS"),
        ("CASEBOOK_XYZZY", "1", "CASEBOOK_XYZZY"),
        ("CASEBOOK_LOG_LEVEL", "loud", "CASEBOOK_LOG_LEVEL.*'DEBUG'"),
        ("CASEBOOK_REDIS_MEMORY", "plenty", "CASEBOOK_REDIS_MEMORY"),
        ("CASEBOOK_NODE", "a@b", "CASEBOOK_NODE"),
        ("CASEBOOK_DATABASE_URL", "redis://swapped", "CASEBOOK_DATABASE_URL.*postgresql://"),
        ("CASEBOOK_REDIS_URL", "postgresql://swapped", "CASEBOOK_REDIS_URL.*rediss://"),
        ("CASEBOOK_DATABASE_FILE", "/x", "CASEBOOK_DATABASE_URL_FILE"),
        ("CASEBOOK_REDIS_URL_FILE", "/nowhere", "CASEBOOK_REDIS_URL_FILE.*/nowhere"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str, hint: str) -> None:
    """A misspelt name or an impossible value is an error that names the variable."""
    with pytest.raises(SettingsInvalid, match=hint):
        Settings.load({name: value})


FOUND = {"database_url": "postgresql://found", "redis_url": "unix:///found", "port": 8123}


def test_running_servers_are_found_in_the_data_folder(tmp_path: Path) -> None:
    """What `up` wrote is used where nothing else was said, or the same."""
    (tmp_path / "endpoints.json").write_bytes(orjson.dumps(FOUND))
    environment = {"CASEBOOK_DATA": str(tmp_path), "CASEBOOK_REDIS_URL": "unix:///found"}
    settings, origins = Settings.traced(environment)
    assert settings.database_url == SecretStr("postgresql://found")
    assert settings.redis_url == SecretStr("unix:///found")
    assert settings.port == 8123
    assert origins == {
        "data": "CASEBOOK_DATA",
        "redis_url": "CASEBOOK_REDIS_URL",
        "database_url": str(tmp_path / "endpoints.json"),
        "port": str(tmp_path / "endpoints.json"),
    }
    assert Settings.load(environment, find_servers=False).database_url is None


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    """The file's content is the URL, and the variable that names it is where it came from."""
    file = tmp_path / "url"
    file.touch(mode=0o600)
    file.write_text("postgresql://u:hunter2@h/d\n")
    environment = {"CASEBOOK_DATA": str(tmp_path), "CASEBOOK_DATABASE_URL_FILE": str(file)}
    settings, origins = Settings.traced(environment)
    assert settings.database_url == SecretStr("postgresql://u:hunter2@h/d")
    assert origins["database_url"] == "CASEBOOK_DATABASE_URL_FILE"
    file.chmod(0o644)
    with pytest.raises(SettingsInvalid, match="chmod"):
        Settings.load(environment)


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        (
            {"CASEBOOK_REDIS_URL": "redis://own", "CASEBOOK_REDIS_MEMORY": "2gb"},
            ("CASEBOOK_REDIS_URL", "CASEBOOK_REDIS_MEMORY"),
        ),
        (
            {"CASEBOOK_CACHE_URL": "redis://own", "CASEBOOK_CACHE_MEMORY": "2gb"},
            ("CASEBOOK_CACHE_URL", "CASEBOOK_CACHE_MEMORY"),
        ),
        (
            {"CASEBOOK_REDIS_URL": "redis://own", "CASEBOOK_CACHE_MEMORY": "2gb"},
            ("CASEBOOK_REDIS_URL", "CASEBOOK_CACHE_MEMORY"),
        ),
        (
            {"CASEBOOK_REDIS_URL": "redis://own", "CASEBOOK_REDIS_URL_FILE": "FILE"},
            ("CASEBOOK_REDIS_URL and", "CASEBOOK_REDIS_URL_FILE"),
        ),
        (
            {"CASEBOOK_REDIS_URL": "redis://another"},
            ("CASEBOOK_REDIS_URL", "endpoints.json", "CASEBOOK_DATABASE_URL"),
        ),
    ],
)
def test_settings_that_contradict_are_both_named(
    tmp_path: Path, environment: dict[str, str], names: tuple[str, ...]
) -> None:
    """Neither is taken in silence: the queue of one Casebook with another's database, say."""
    (tmp_path / "endpoints.json").write_bytes(orjson.dumps(FOUND))
    file = tmp_path / "url"
    file.touch(mode=0o600)
    values = {name: value.replace("FILE", str(file)) for name, value in environment.items()}
    with pytest.raises(SettingsInvalid) as caught:
        Settings.load({"CASEBOOK_DATA": str(tmp_path), **values})
    assert "contradict" in str(caught.value)
    for name in names:
        assert name in str(caught.value)


def test_two_servers_of_ones_own_are_taken_whatever_runs_on_the_folder(tmp_path: Path) -> None:
    """Both were said, so nothing is mixed."""
    (tmp_path / "endpoints.json").write_bytes(orjson.dumps(FOUND))
    said = {"CASEBOOK_REDIS_URL": "redis://own", "CASEBOOK_DATABASE_URL": "postgresql://own"}
    settings = Settings.load({"CASEBOOK_DATA": str(tmp_path), **said})
    assert settings.database_url == SecretStr("postgresql://own")


def test_the_cache_that_runs_on_the_folder_is_found(tmp_path: Path) -> None:
    """Unless another was named, or other servers: their Casebook has no part in it."""
    found = FOUND | {"cache_url": "unix:///cache"}
    (tmp_path / "endpoints.json").write_bytes(orjson.dumps(found))
    data = {"CASEBOOK_DATA": str(tmp_path)}
    assert Settings.load(data).cache_url == SecretStr("unix:///cache")
    named = Settings.load({**data, "CASEBOOK_CACHE_URL": "redis://named"})
    assert named.cache_url == SecretStr("redis://named")
    own = {"CASEBOOK_REDIS_URL": "redis://own", "CASEBOOK_DATABASE_URL": "postgresql://own"}
    assert Settings.load({**data, **own}).cache_url is None


@pytest.mark.parametrize(
    ("said", "number"),
    [("1000", 1000), ("64k", 64_000), ("64KB", 65_536), ("100mb", 100 * 1024**2), ("1g", 10**9)],
)
def test_bytes_are_counted_as_valkey_does(tmp_path: Path, said: str, number: int) -> None:
    """With a `b` a unit is a power of two, without a power of ten."""
    data = {"CASEBOOK_DATA": str(tmp_path)}
    assert Settings.load({**data, "CASEBOOK_HOT_MEMORY": said}).hot_bytes == number


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """A URL's password is in no repr."""
    settings = Settings.load(
        {"CASEBOOK_DATA": str(tmp_path), "CASEBOOK_DATABASE_URL": "postgresql://u:hunter2@h/d"}
    )
    assert "hunter2" not in repr(settings)


def test_a_child_gets_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment made for a child loads to equal settings, however its parent was told."""
    file = tmp_path / "url"
    file.touch(mode=0o600)
    file.write_text("redis://r")
    monkeypatch.setenv("CASEBOOK_REDIS_URL_FILE", str(file))
    settings = Settings.load(data=tmp_path, port=9001)
    assert Settings.load(settings.environment()) == settings
    served = Settings.load(
        {
            "CASEBOOK_REDIS_MEMORY": "2gb",
            "CASEBOOK_REDIS_SYNC": "always",
            "CASEBOOK_CACHE_MEMORY": "1gb",
        },
        find_servers=False,
    )
    embedded = {"redis_url": SecretStr("unix:///embedded"), "cache_url": SecretStr("unix:///c")}
    child = served.model_copy(update=embedded)
    assert Settings.load(child.environment(), find_servers=False).redis_url == child.redis_url
