"""How far an import is: a bar, plain lines, or JSON lines; always on stderr."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal

import orjson
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from commands.base import err
from contracts.imports import ImportCounts

Kind = Literal["none", "bar", "plain", "json"]
KINDS: tuple[Kind, ...] = ("none", "bar", "plain", "json")
EVERY = {"bar": 0.2, "plain": 5.0, "json": 1.0}  # seconds between two


def default_kind(*, quiet: bool) -> Kind:
    """What a person at a terminal wants; a script is told nothing unless it asks."""
    return "none" if quiet or not err.is_terminal else "bar"


class _Counted:
    """A stream that counts what is read of it."""

    def __init__(self, stream: IO[bytes], count: Callable[[int], None]) -> None:
        self._stream = stream
        self._count = count

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer) or 0  # type: ignore[attr-defined]  # binary files have it
        self._count(count)
        return count

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._count(len(data))
        return data


class ImportProgress:
    """Of one import of `files` ("-" is stdin). `state` is what is known at this moment."""

    def __init__(self, files: list[str], kind: Kind) -> None:
        self.wanted = kind != "none"
        self._files = files
        self._kind = kind
        self._total = None if "-" in files else sum(Path(file).stat().st_size for file in files)
        self._read = 0
        self._counts = ImportCounts()
        self._behind: int | None = None
        self._began = time.monotonic()
        self._bar: Bar | None = None

    def opened(self) -> Iterator[tuple[str, Any]]:
        """The files, opened one after another."""
        for file in self._files:
            if file == "-":
                yield "-", _Counted(sys.stdin.buffer, self._count)
                continue
            with Path(file).open("rb") as stream:
                yield file, _Counted(stream, self._count)

    def advance(self, counts: ImportCounts) -> None:
        """So many rows are answered."""
        self._counts = counts

    def behind(self, changes: int) -> None:
        """All rows are stored; the index has so many changes to go."""
        self._behind = changes

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show it now and then, and at the end."""
        if self._kind == "none":
            yield
            return
        with self._open_bar() as self._bar:
            showing = asyncio.create_task(self._repeat())
            try:
                yield
            finally:
                showing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await showing
                self._show()

    def state(self) -> dict[str, Any]:
        """Counts, rates a second, seconds to go (None where they can't be known)."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        counts = self._counts
        rate = self._read / seconds
        total = self._total
        eta = (total - self._read) / rate if total is not None and rate else None
        return {
            "rows": counts.received,
            "accepted": counts.received - counts.rejected,
            "rejected": counts.rejected,
            "rows_per_second": round(counts.received / seconds, 1),
            "bytes": self._read,
            "bytes_total": total,
            "mb_per_second": round(rate / 1e6, 3),
            "seconds": round(seconds, 1),
            "eta_seconds": None if eta is None else round(max(eta, 0.0), 1),
            "index_behind": self._behind,
        }

    def _count(self, size: int) -> None:
        self._read += size

    @contextlib.contextmanager
    def _open_bar(self) -> Iterator[Bar | None]:
        if self._kind != "bar":
            yield None
            return
        text = TextColumn("{task.description}")
        with Bar(text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=err) as bar:
            bar.add_task("importing", total=self._total)
            yield bar

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(EVERY[self._kind])
            self._show()

    def _show(self) -> None:
        state = self.state()
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._read, description=_line(state, bar=True))
        elif self._kind == "json":
            sys.stderr.write(orjson.dumps(state).decode() + "\n")
            sys.stderr.flush()
        else:
            err.print(_line(state, bar=False), soft_wrap=True)


def _line(state: dict[str, Any], *, bar: bool) -> str:
    parts = [f"{state['accepted']:,} accepted", f"{state['rejected']:,} rejected"]
    parts.append(f"{state['rows_per_second']:,.0f} rows/s")
    if not bar:
        parts.append(f"{state['mb_per_second']:,.1f} MB/s")
    if state["index_behind"] is not None:
        parts.append(f"index {state['index_behind']:,} behind")
    elif state["eta_seconds"] is not None:
        parts.append(f"{state['eta_seconds']:,.0f} s to go")
    return ", ".join(parts)
