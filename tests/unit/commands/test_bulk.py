"""An import that ends otherwise than it should, as its person hears of it."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from commands import bulk
from commands.base import Failure
from commands.import_progress import ImportProgress
from contracts.errors import SourceUnreadable
from pipelines.importing import Plan


def test_an_error_that_nobody_expected_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before its traceback; where JSON was asked for, that is JSON, too."""
    said: list[tuple[list[UUID], bool]] = []

    def talk(conversation: Any) -> None:
        raise RuntimeError("out of the blue")

    monkeypatch.setattr(bulk, "talk", talk)
    monkeypatch.setattr(bulk, "say_kept", lambda begun, *, json: said.append((begun, json)))
    begun = [uuid4()]
    with pytest.raises(RuntimeError, match="blue"):
        bulk._talk_or_tell(lambda client, settings: pytest.fail("never"), begun, Plan(), False)
    with pytest.raises(Failure, match="RuntimeError: out of the blue") as failed:
        bulk._talk_or_tell(lambda client, settings: pytest.fail("never"), begun, Plan(), True)
    assert (failed.value.code, failed.value.exit_code) == ("INTERNAL_ERROR", 2)
    assert "out of the blue" in orjson.loads(capsys.readouterr().err)["traceback"]
    assert said == [(begun, False), (begun, True)]


def test_a_file_that_has_gone_away_meanwhile(tmp_path: Path) -> None:
    """It ends the import as one that can't be read, with its name."""
    file = tmp_path / "a.ndjson"
    file.touch()
    progress = ImportProgress([str(file)], "none")
    file.unlink()
    with pytest.raises(SourceUnreadable, match=r"a\.ndjson can't be read: No such file"):
        next(progress.opened())
