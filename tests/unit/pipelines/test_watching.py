"""What watching does with errors that nobody expects, without a server."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from actors.broker.client import Client
from contracts.base import new_id
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
