"""The client's side of an import, without a server."""

import asyncio
import io
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from actors.broker.client import Client
from contracts.base import new_id
from contracts.imports import ChunkDone, ImportCounts, Reject
from contracts.mappings import Shape
from pipelines import importing
from pipelines.chunks import Chunk, cut
from pipelines.formats.rows import Reading, read
from pipelines.importing import Plan, _kept, _send_all, _Telling, unheard
from pipelines.rejects import RejectsFile


def test_the_first_names_are_kept() -> None:
    """A thousand, or fewer where they are long: they travel in one message."""
    names = [f"{n:04}" for n in range(1500)]
    assert list(_kept(names)) == names[:1000]
    assert len(_kept(["é" * 1024] * 500)) == 128
    assert _kept(()) == ()


def test_rejects_stand_in_the_order_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the end, in whatever order the chunks were answered."""
    last = asyncio.Event()

    async def send(_: Any, __: Any, chunk: Chunk, *rest: Any) -> ChunkDone:
        """The first chunk is answered after the others."""
        if chunk.number == 0:
            await last.wait()
        elif chunk.number == 1:
            last.set()
        places = [(one.file, one.line) for one in chunk.sources]
        rejects = [Reject(file=a, line=b, code="MISSING", message="m") for a, b in places]
        counts = ImportCounts(received=len(rejects), rejected=len(rejects))
        return ChunkDone(counts=counts, rejects=tuple(rejects))

    async def keep(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(importing, "_send", send)
    monkeypatch.setattr(importing, "keep", keep)
    data = io.BytesIO(b"".join(b'{"id": %d}\n' % n for n in range(1, 901)))
    chunks = cut(read(data, "a.ndjson", Reading(), []), Shape(), keep=True)
    path = tmp_path / "rejects"
    plan = Plan(rejects=RejectsFile(path))
    telling = _Telling(lambda _: None, unheard, unheard)
    sent = asyncio.run(_send_all(cast("Client", None), new_id(), chunks, plan, telling))
    assert sent == 2
    lines = [orjson.loads(line)["id"] for line in path.read_bytes().splitlines()]
    assert lines == list(range(1, 901))
