"""What watching does with errors that nobody expects, without a server."""

import asyncio
import os
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from actors.broker.client import Client
from contracts.base import new_id
from contracts.errors import CasebookError, FolderUnusable, RejectsUnwritable
from contracts.imports import ImportCounts, ImportReport
from pipelines import watching
from pipelines.importing import Plan
from pipelines.inbox import Inbox
from pipelines.watching import Tried


def report() -> ImportReport:
    """Of an import that has nothing to say."""
    fields: dict[str, Any] = {"source": "", "status": "finished", "counts": ImportCounts()}
    return ImportReport(id=new_id(), chunks=0, started_at="2026-01-01T00:00:00Z", **fields)


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (ExceptionGroup("in tasks", [TypeError("what is \x1b")]), "INTERNAL_ERROR", "TypeError"),
        (OSError(5, "Input/output error"), "SOURCE_UNREADABLE", "a.csv can't be read: Input"),
    ],
)
def test_an_error_that_nobody_expects_is_that_of_one_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    code: str,
    said: str,
) -> None:
    """It stands beside the file, and in the log where it is ours; the others are imported."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("title\nsomething\n")
    found: list[Tried] = []

    async def importing(client: Client, streams: Any, *rest: Any) -> ImportReport:
        if streams[0][0].endswith("a.csv"):
            raise fault
        return report()

    monkeypatch.setattr(watching, "import_streams", importing)
    with closing(Inbox(tmp_path, settle=0.0)) as inbox:
        nobody = cast("Client", None)
        asyncio.run(watching.watch(nobody, inbox, Plan(), found.append, once=True))
    assert [(one.name, one.failed) for one in found] == [("a.csv", True), ("b.csv", False)]
    error = orjson.loads((tmp_path / "failed" / "a.csv.error").read_bytes())
    assert error["code"] == code
    assert said in error["message"]
    assert (tmp_path / "done" / "b.csv").exists()
    assert any(one.exc_info for one in caplog.records) == (code == "INTERNAL_ERROR")


@pytest.mark.parametrize("fault", [RejectsUnwritable("full"), FolderUnusable("full")])
def test_a_full_disk_keeps_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: CasebookError
) -> None:
    """What was written of the rejects would be in the way of the journal at the next start."""
    (tmp_path / "a.csv").write_text("title\nsomething\n")
    begun: list[Path] = []

    def hidden() -> list[Path]:
        return list(tmp_path.glob(".*rejects"))

    async def importing(*_: Any) -> ImportReport:
        begun.extend(hidden())
        raise fault

    monkeypatch.setattr(watching, "import_streams", importing)
    with closing(Inbox(tmp_path, settle=0.0)) as inbox, pytest.raises(type(fault)):
        nobody = cast("Client", None)
        asyncio.run(watching.watch(nobody, inbox, Plan(), lambda one: None, once=True))
    assert (tmp_path / "a.csv").exists()
    assert begun and not hidden()


def test_a_file_that_may_not_be_read_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is tried; once it may, it is imported. Another reason is told again."""
    (tmp_path / "a.csv").write_text("title\nsomething\n")
    read, tries, found = Path.open, iter([13, 13, 13, 13, 5, 5, 5]), list[Tried]()

    def refusing(path: Path, *rest: Any, **named: Any) -> Any:
        if path.name == "a.csv" and (number := next(tries, None)):
            raise OSError(number, os.strerror(number))
        return read(path, *rest, **named)

    async def importing(*_: Any) -> ImportReport:
        return report()

    async def until_imported(inbox: Inbox) -> None:
        done = asyncio.Event()

        def tried(one: Tried) -> None:
            found.append(one)
            if one.report is not None:
                done.set()

        nobody = cast("Client", None)
        going = asyncio.create_task(watching.watch(nobody, inbox, Plan(), tried, once=False))
        waiting = asyncio.create_task(done.wait())
        await asyncio.wait((going, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        going.cancel()
        with suppress(asyncio.CancelledError):
            await going

    monkeypatch.setattr(watching, "import_streams", importing)
    monkeypatch.setattr(watching, "AGAIN", 0.0)
    monkeypatch.setattr(Path, "open", refusing)
    with closing(Inbox(tmp_path, settle=0.0)) as inbox:
        asyncio.run(until_imported(inbox))
    said = [(one.state, one.error and one.error.message) for one in found]
    assert said == [
        ("again", "a.csv can't be read: Permission denied."),
        ("again", "a.csv can't be read: Input/output error."),
        ("done", None),
    ]
