"""`casebook settings`, and the page that is made from it."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from commands.settings import hidden, settings, unit
from settings import Settings

ROOT = Path(__file__).parents[3]


def test_the_reference_is_what_the_code_says() -> None:
    """docs/settings.md is never stale: `casebook settings --reference > docs/settings.md`."""
    printed = CliRunner().invoke(settings, ["--reference"]).output
    assert (ROOT / "docs" / "settings.md").read_text() == printed


def test_every_number_has_a_unit_and_every_knob_a_description() -> None:
    """A figure without a unit can't be set right at three in the morning."""
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert unit(field) or field.annotation not in (int, float), name


def test_each_value_is_shown_with_its_origin(tmp_path: Path) -> None:
    """Options, variables and defaults are told apart; no secret is among them."""
    environment = {
        "CASEBOOK_DATA": str(tmp_path),
        "CASEBOOK_HEARTBEAT": "9000",
        "CASEBOOK_DATABASE_URL": "postgresql://casebook:hunter2@db/casebook",
    }
    arguments = ["--port", "9001"]
    shown = CliRunner().invoke(settings, [*arguments, "--json"], env=environment).output
    rows = {row["name"]: row for row in orjson.loads(shown)["settings"]}
    assert rows["CASEBOOK_PORT"]["from"] == "option --port"
    assert rows["CASEBOOK_HEARTBEAT"] | {"what": ""} == {
        "name": "CASEBOOK_HEARTBEAT",
        "value": 9000,
        "unit": "ms",
        "from": "CASEBOOK_HEARTBEAT",
        "what": "",
    }
    assert rows["CASEBOOK_WORKERS"]["from"] == "default"
    assert rows["CASEBOOK_DATABASE_URL"]["value"] == "postgresql://casebook:***@db/casebook"
    lines = CliRunner().invoke(settings, arguments, env=environment).output
    assert "9000 ms" in lines
    assert "hunter2" not in lines + shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p@q?/r@h/d", "postgresql://u:***@h/d"),
        ("postgresql:///d?host=/run&password=p@q", "postgresql:///d?host=/run&password=***"),
        ("rediss://:p@h:6379/0", "rediss://:***@h:6379/0"),
        ("unix:///run/a:b.sock?db=1&password=p", "unix:///run/a:b.sock?db=1&password=***"),
    ],
)
def test_a_password_is_hidden_wherever_it_stands(url: str, shown: str) -> None:
    """Also where it holds characters that should have been escaped."""
    assert hidden(url) == shown


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"CASEBOOK_WRITE_TIMEOUTS": "1"}, ["did you mean CASEBOOK_WRITE_TIMEOUT?"]),
        (
            {"CASEBOOK_REDIS_URL": "redis://own", "CASEBOOK_REDIS_MEMORY": "2gb"},
            ["CASEBOOK_REDIS_URL", "CASEBOOK_REDIS_MEMORY"],
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    environment: dict[str, str], names: list[str]
) -> None:
    """Misspelt names and contradictions, without a traceback."""
    ran = CliRunner().invoke(settings, env=environment)
    assert ran.exit_code == 2
    for part in ("SETTINGS_INVALID", *names):
        assert part in ran.output
