"""How far an import is: a bar, plain lines, or JSON lines; always on stderr."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal
from uuid import UUID

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from commands.base import err, say_json
from contracts.errors import SourceUnreadable
from contracts.imports import ImportCounts

Kind = Literal["none", "bar", "plain", "json"]
KINDS: tuple[Kind, ...] = ("none", "bar", "plain", "json")
EVERY = {"bar": 0.2, "plain": 5.0, "json": 1.0}  # seconds between two


def default_kind(*, quiet: bool, json: bool) -> Kind:
    """A bar for a person at a terminal, lines for a log, JSON lines beside a JSON report."""
    if quiet:
        return "none"
    if json:
        return "json"
    return "bar" if err.is_terminal else "plain"


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


class _Bar(Progress):
    """Two lines, so that both fit a terminal of 80 columns: what has come of it, and how far."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """A line of text over the bar."""
        for task in self.tasks:
            yield Text(task.description, no_wrap=True, overflow="ellipsis")
        yield self.make_tasks_table(self.tasks)


class ImportProgress:
    """Of one import of `files` ("-" is stdin). `state` is what is known at this moment.

    With `json` even an import that is not shown tells its id as JSON.
    """

    def __init__(self, files: list[str], kind: Kind, *, json: bool = False) -> None:
        self.wanted = kind != "none"
        self._json = kind == "json" or (json and kind == "none")
        self._files = files
        self._kind = kind
        self._total = None if "-" in files else sum(Path(file).stat().st_size for file in files)
        self._import: UUID | None = None
        self._read = 0
        self._sent = 0
        self._counts = ImportCounts()
        self._behind: int | None = None
        self._began = time.monotonic()
        self._bar: _Bar | None = None

    def names(self) -> list[str]:
        """What the files are called in reports, in their order."""
        from pipelines.formats.paths import told

        return [told(file) for file in self._files]

    def opened(self) -> Iterator[tuple[str, Any]]:
        """The files with their names, opened one after another. Raises: SourceUnreadable."""
        from pipelines.formats.paths import told

        for file in self._files:
            if file == "-":
                yield "-", _Counted(sys.stdin.buffer, self._count)
                continue
            with _open(file) as stream:
                yield told(file), _Counted(stream, self._count)

    def begin(self, import_id: UUID) -> None:
        """Say how the import is called, before anything else: whoever is killed needs it."""
        self._import = import_id
        if self._json:
            say_json({"import": str(import_id)})
        else:
            err.print(f"[dim]import {import_id}[/dim]", soft_wrap=True)

    def sent(self, rows: int) -> None:
        """So many more rows are on their way."""
        self._sent += rows

    def advance(self, counts: ImportCounts) -> None:
        """So many rows are answered."""
        self._counts = counts

    def behind(self, changes: int) -> None:
        """The index has so many changes to go."""
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
        answered = self._answered()
        rate = answered / seconds
        total = self._total
        eta = (total - answered) / rate if total is not None and rate else None
        return {
            "import": None if self._import is None else str(self._import),
            "rows": counts.received,
            "accepted": counts.received - counts.rejected,
            "rejected": counts.rejected,
            "rows_per_second": round(counts.received / seconds, 1),
            "bytes": answered,
            "bytes_total": total,
            "mb_per_second": round(rate / 1e6, 3),
            "seconds": round(seconds, 1),
            "eta_seconds": None if eta is None else round(max(eta, 0.0), 1),
            "index_behind": self._behind,
        }

    def _count(self, size: int) -> None:
        self._read += size

    def _answered(self) -> int:
        """Bytes of the files whose rows are answered: of those that were read, as many as of the
        rows."""
        return self._read * self._counts.received // self._sent if self._sent else 0

    @contextlib.contextmanager
    def _open_bar(self) -> Iterator[_Bar | None]:
        if self._kind != "bar":
            yield None
            return
        columns = (BarColumn(None), TaskProgressColumn(), TextColumn("{task.fields[left]}"))
        with _Bar(*columns, console=err, expand=True) as bar:
            bar.add_task("importing", total=self._total, left="")
            yield bar

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(EVERY[self._kind])
            self._show()

    def _show(self) -> None:
        state = self.state()
        if self._bar is not None:
            task, text, left = self._bar.task_ids[0], ", ".join(_done(state)), _left(state)
            self._bar.update(task, completed=state["bytes"], description=text, left=", ".join(left))
        elif self._kind == "json":
            say_json(state)
        else:
            err.print(", ".join([*_done(state), *_left(state)]), soft_wrap=True)


def _open(file: str) -> IO[bytes]:
    try:
        return Path(file).open("rb")
    except OSError as error:  # it was there when the import began
        raise SourceUnreadable(f"{file} can't be read: {error.strerror}.") from None


def _done(state: dict[str, Any]) -> list[str]:
    return [
        f"{state['accepted']:,} accepted",
        f"{state['rejected']:,} rejected",
        f"{state['rows_per_second']:,.0f} rows/s",
        f"{state['mb_per_second']:,.1f} MB/s",
    ]


def _left(state: dict[str, Any]) -> list[str]:
    """What is to be waited for, as far as it is known."""
    parts = [f"{state['eta_seconds']:,.0f} s to go"] if state["eta_seconds"] else []
    if state["index_behind"] is not None:
        parts.append(f"index {state['index_behind']:,} behind")
    return parts
