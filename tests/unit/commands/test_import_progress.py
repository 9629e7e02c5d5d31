"""How far an import is, as it is shown."""

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from commands import import_progress
from commands.import_progress import ImportProgress, default_kind
from contracts.imports import ImportCounts

ROWS = 1_000_000


def read_all(progress: ImportProgress) -> None:
    """Read the files to their ends."""
    for _, stream in progress.opened():
        while stream.read(65_536):
            pass


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file of 100,000 bytes."""
    path = tmp_path / "rows"
    path.write_bytes(b"x" * 100_000)
    return str(path)


def test_what_is_read_is_not_done(file: str) -> None:
    """The time that is left is that of rows without an answer, read or not."""
    progress = ImportProgress([file], "plain")
    read_all(progress)
    assert progress.state()["eta_seconds"] is None
    progress.sent(1000)
    state = progress.state()
    assert (state["bytes"], state["eta_seconds"]) == (0, None)
    progress.advance(ImportCounts(received=250, created=250))
    state = progress.state()
    assert (state["bytes"], state["bytes_total"]) == (25_000, 100_000)
    progress.advance(ImportCounts(received=1000, created=1000))
    state = progress.state()
    assert (state["bytes"], state["eta_seconds"]) == (100_000, 0)


def test_a_bar_fits_80_columns(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines, each whole, also with long numbers."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(import_progress, "err", console)

    async def show() -> None:
        progress = ImportProgress([file], "bar")
        async with progress.shown():
            read_all(progress)
            progress.sent(2 * ROWS)
            progress.advance(ImportCounts(received=ROWS, created=ROWS // 2, rejected=ROWS // 2))
            progress.behind(ROWS)

    asyncio.run(show())
    text = Text.from_ansi(written.getvalue()).plain
    done, left = [line for line in text.splitlines() if line.strip()][-2:]
    assert done.startswith("500,000 accepted, 500,000 rejected, ") and "…" not in done
    assert " 50% " in left and left.rstrip().endswith("index 1,000,000 behind")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("terminal", "quiet", "json", "kind"),
    [
        (True, False, False, "bar"),
        (False, False, False, "plain"),
        (True, False, True, "json"),
        (False, False, True, "json"),
        (True, True, True, "none"),
    ],
)
def test_what_is_shown(
    terminal: bool, quiet: bool, json: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar for a person, lines for a log, JSON lines beside JSON."""
    monkeypatch.setattr(import_progress, "err", Console(stderr=True, force_terminal=terminal))
    assert default_kind(quiet=quiet, json=json) == kind
