"""Names of files that are no UTF-8, as old servers write them, in what commands print."""

import os
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

import cli

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="file systems of others take no such name"
)
GOOD = "---\ntitle: an entry\n---\n\n## Problem\n\nsomething\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With an entry, and one that can't be read."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / os.fsdecode(b"good\xe8.md")).write_text(GOOD)
    (folder / os.fsdecode(b"bad\xe8.md")).write_text("---\n{\n")
    return folder


def said(*arguments: str) -> bytes:
    """Everything that a command prints."""
    done = CliRunner().invoke(cli.main, arguments, prog_name="casebook")
    assert not done.exception or isinstance(done.exception, SystemExit), done.exception
    return done.output_bytes


def test_lint_tells_them(folder: Path) -> None:
    """Each finding has the name as imports tell it, and so has the external id made of it."""
    text = said("lint", str(folder))
    assert b"caf\\xe9/bad\\xe8.md:1: MARKDOWN_UNREADABLE" in text
    assert b"caf\\xe9/good\\xe8.md:" in text
    assert b"external_id" not in text
    found = orjson.loads(said("lint", str(folder), "--json").splitlines()[0])
    assert {Path(one["file"]).name for one in found["findings"]} == {"bad\\xe8.md", "good\\xe8.md"}


def test_errors_and_settings_tell_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever command, in JSON as well."""
    file = folder / os.fsdecode(b"ids\xe8.txt")
    file.write_bytes(b"\xff")
    assert b"caf\\xe9/ids\\xe8.txt is no text" in said("change", "archive", "--file", str(file))
    file.write_bytes(b"")
    assert b"caf\\xe9/ids\\xe8.txt names no" in said("change", "archive", "--file", str(file))
    monkeypatch.setenv("CASEBOOK_DATA", str(folder))
    assert b"Nothing runs on " in (text := said("search", "x"))
    assert b"caf\\xe9" in text
    values = {
        one["name"]: one["value"] for one in orjson.loads(said("settings", "--json"))["settings"]
    }
    assert values["CASEBOOK_DATA"].endswith("caf\\xe9")
