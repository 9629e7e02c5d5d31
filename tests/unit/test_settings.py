"""Settings: from the environment, once, and never silently wrong."""

from pathlib import Path

import orjson
import pytest

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
    ],
)
def test_what_is_wrong_is_named(name: str, value: str, hint: str) -> None:
    """A misspelt name or an impossible value is an error that names the variable."""
    with pytest.raises(SettingsInvalid, match=hint):
        Settings.load({name: value})


def test_running_servers_are_found_in_the_data_folder(tmp_path: Path) -> None:
    """What `up` wrote is used where nothing else was said."""
    found = {"database_url": "postgresql://found", "redis_url": "unix:///found", "port": 8123}
    (tmp_path / "endpoints.json").write_bytes(orjson.dumps(found))
    environment = {"CASEBOOK_DATA": str(tmp_path), "CASEBOOK_REDIS_URL": "redis://said"}
    settings = Settings.load(environment)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://found"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://said"
    assert settings.port == 8123
    assert Settings.load(environment, find_servers=False).database_url is None


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """A URL's password is in no repr."""
    settings = Settings.load(
        {"CASEBOOK_DATA": str(tmp_path), "CASEBOOK_DATABASE_URL": "postgresql://u:hunter2@h/d"}
    )
    assert "hunter2" not in repr(settings)


def test_a_child_gets_the_same_settings(tmp_path: Path) -> None:
    """The environment made for a child process loads to equal settings."""
    settings = Settings.load({"CASEBOOK_DATA": str(tmp_path), "CASEBOOK_REDIS_URL": "redis://r"})
    assert Settings.load(settings.environment()) == settings
