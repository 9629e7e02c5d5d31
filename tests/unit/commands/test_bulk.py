"""An import that ends otherwise than it should, as its person hears of it."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from commands import bulk
from commands.import_progress import ImportProgress
from contracts.errors import SourceUnreadable
from pipelines.importing import Plan


def test_an_error_that_nobody_expected_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its traceback."""
    said: list[list[UUID]] = []

    def talk(conversation: Any) -> None:
        raise RuntimeError("out of the blue")

    monkeypatch.setattr(bulk, "talk", talk)
    monkeypatch.setattr(bulk, "say_kept", said.append)
    begun = [uuid4()]
    with pytest.raises(RuntimeError, match="blue"):
        bulk._talk_or_tell(lambda client, settings: pytest.fail("never"), begun, Plan(), False)
    assert said == [begun]


def test_a_file_that_has_gone_away_meanwhile(tmp_path: Path) -> None:
    """It ends the import as one that can't be read, with its name."""
    file = tmp_path / "a.ndjson"
    file.touch()
    progress = ImportProgress([str(file)], "none")
    file.unlink()
    with pytest.raises(SourceUnreadable, match=r"a\.ndjson can't be read: No such file"):
        next(progress.opened())
