"""Many entries at once: import."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
from rich.markup import escape

from commands.base import Failure, as_json, err, failures, me, out, print_json, talk
from commands.import_progress import KINDS, ImportProgress, default_kind
from commands.mappings import shape_options
from contracts.base import Nothing
from contracts.errors import CasebookError, ReplaceTooMuch, TooManyRejects
from contracts.imports import (
    REMOVED_MAX,
    Duplicates,
    GetImport,
    ImportCheck,
    ImportMode,
    ImportReport,
    OnLong,
)
from contracts.search import IndexStatus
from contracts.similar import FindSimilar
from settings import Settings

if TYPE_CHECKING:
    from pipelines.rejects import RejectsFile

LOOK = 1.0  # seconds between two looks at how far the index is

FORMATS = ("auto", "ndjson", "json", "bulk", "hits", "csv", "markdown")


@click.command(name="import")
@click.argument("files", nargs=-1, required=True)
@click.option("--source", default="", help="Whose external ids these are.")
@shape_options
@click.option("--mapping", "saved", metavar="NAME", help="A saved mapping; options go before it.")
@click.option("--save-mapping", "save_as", metavar="NAME", help="Keep the mapping used here.")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="auto")
@click.option("--delimiter", help="Between the cells of a CSV; \\t is a tab.")
@click.option("--encoding", help="Of text without a byte order mark, such as windows-1252.")
@click.option("--on-long", type=click.Choice([o.value for o in OnLong]), default="reject")
@click.option("--mode", type=click.Choice([m.value for m in ImportMode]), default="upsert")
@click.option(
    "--max-removed",
    type=click.FloatRange(0, 100),
    default=REMOVED_MAX,
    show_default=True,
    metavar="PERCENT",
    help="Of its source's entries that a replace may archive.",
)
@click.option(
    "--duplicates",
    type=click.Choice([d.value for d in Duplicates]),
    default="auto",
    help="Rows whose text another entry holds; auto keeps those with an external id.",
)
@click.option("--dry-run", is_flag=True, help="Only read, validate and count.")
@click.option("--similar", is_flag=True, help="Look for near duplicates afterwards.")
@click.option("--resume", type=click.UUID, help="Go on with this import, from the same files.")
@click.option("--rejects", type=click.Path(path_type=Path), help="A file for rejected rows.")
@click.option("--max-rejects", type=click.IntRange(0), help="Stop where there are more.")
@click.option("--wait/--no-wait", default=True, help="Return once searches find it.")
@click.option("--progress", "shown", type=click.Choice(KINDS), help="By default a terminal's bar.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def import_(
    files: tuple[str, ...],
    source: str,
    pairs: tuple[str, ...],
    defaults: tuple[str, ...],
    splits: tuple[str, ...],
    saved: str | None,
    save_as: str | None,
    kind: Any,
    delimiter: str | None,
    encoding: str | None,
    on_long: str,
    mode: str,
    max_removed: float,
    duplicates: str,
    dry_run: bool,
    similar: bool,
    resume: UUID | None,
    rejects: Path | None,
    max_rejects: int | None,
    wait: bool,
    shown: Any,
    quiet: bool,
    json_: bool,
) -> None:
    """Import NDJSON, JSON, CSV, Markdown and exports of search servers.

    FILES are files, folders or quoted patterns, plain or packed with gzip, bz2, xz or zstd; - is
    stdin.
    """
    from actors import similar as operations
    from pipelines.ask import ask
    from pipelines.checking import check_streams
    from pipelines.formats.paths import files_of
    from pipelines.formats.rows import make_reading
    from pipelines.importing import PATIENCE, Plan, import_streams
    from pipelines.mapping import load_shape, parse_shape, save_shape
    from pipelines.rejects import RejectsFile

    with unable():
        shape = parse_shape(pairs, defaults, splits)
        reading = make_reading(kind, delimiter=delimiter, encoding=encoding)
        paths = files_of(files)
        apart(rejects, paths)
        written = None if rejects is None else RejectsFile(rejects, mark=encoding is not None)
    begun: list[UUID] = []

    async def conversation(client: Any, settings: Settings) -> ImportReport | ImportCheck:
        used = shape
        if saved is not None:
            used = shape.over(await load_shape(client, saved, timeout=settings.read_timeout))
        if save_as is not None and not dry_run:
            await save_shape(client, save_as, used, by=me(), timeout=settings.write_timeout)
        plan = Plan(
            source=source,
            reading=reading,
            shape=used,
            on_long=OnLong(on_long),
            by=me(),
            resume=resume,
            rejects=written,
            max_rejects=max_rejects,
            mode=ImportMode(mode),
            max_removed=max_removed,
            duplicates=Duplicates(duplicates),
        )
        progress = ImportProgress(paths, shown or default_kind(quiet=quiet or json_))
        async with progress.shown():
            opened = progress.opened()
            if dry_run:
                return await check_streams(client, opened, plan, progress.advance)
            report = await import_streams(client, opened, plan, progress.advance, begin)
            if similar:
                found = FindSimilar(import_id=report.id, by=me())
                await ask(client, operations.find, found, timeout=settings.write_timeout)
            until = report.position if wait else None
            await until_found(client, until, progress, timeout=PATIENCE)
        return report

    def begin(import_id: UUID) -> None:
        begun.append(import_id)
        if not (quiet or json_ or shown == "json"):
            err.print(f"[dim]import {import_id}[/dim]", soft_wrap=True)

    started = time.monotonic()
    try:
        with unable():
            report = talk(conversation)
    except Failure as failure:
        kept = _say_kept(begun, " --max-removed 100" if failure.code == ReplaceTooMuch.code else "")
        say_rejects(written)
        if json_ and kept is not None and failure.code == TooManyRejects.code:
            print_json(kept)
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say_kept(begun)
        sys.exit(130)
    if json_:
        print_json(report)
    else:
        print_report(report, time.monotonic() - started)
        if similar and isinstance(report, ImportReport):
            out.print(f"[dim]near duplicates: casebook imports similar {report.id}[/dim]")
    say_rejects(written)
    sys.exit(1 if report.counts.rejected else 0)


def apart(rejects: Path | None, paths: list[str]) -> None:
    """Raise a Failure where the file for rejects is one of those that are read."""
    if rejects is not None and rejects.exists():
        same = [path for path in paths if path != "-" and rejects.samefile(path)]
        if same:
            message = f"{same[0]} is read: its rejects go to another file."
            raise Failure(message, "REJECTS_UNWRITABLE", 2)


def say_rejects(written: "RejectsFile | None") -> None:
    """Where the rejected rows are, if there are any."""
    if written is not None and written.count:
        files = " ".join(str(file) for file in written.files)
        text = f"{written.count:,} rejected rows, ready to be mended and imported: {files}"
        err.print(escape(text), soft_wrap=True)


def _say_kept(begun: list[UUID], option: str = "") -> ImportReport | None:
    """After an import that did not end: what is kept, and how to go on. Its report
    so far."""
    if not begun:
        return None
    from actors import imports
    from pipelines.ask import ask_for

    (import_id,) = begun

    async def conversation(client: Any, settings: Settings) -> ImportReport:
        request = GetImport(id=import_id, limit=0)
        timeout = settings.read_timeout
        return await ask_for(ImportReport, client, imports.report, request, timeout=timeout)

    report = None
    try:
        report = talk(conversation)
        rows = f"{report.counts.received:,} rows were read and are kept."
    except Failure:
        rows = "What was stored is kept."
    err.print(f"\n{rows} To go on from the same files:")
    err.print(f"  casebook import --resume {import_id}{option} FILES", soft_wrap=True)
    return report


@contextlib.contextmanager
def unable() -> Iterator[None]:
    """Errors as exit codes from 2: 1 is kept for rejected rows, also where they were too many."""
    try:
        with failures():
            yield
    except Failure as failure:
        least = 1 if failure.code == TooManyRejects.code else 2
        raise Failure(failure.message, failure.code, max(failure.exit_code, least)) from None


async def until_found(
    client: Any, position: str | None, progress: ImportProgress, *, timeout: float
) -> None:
    """Wait until searches see `position` (None: don't wait); meanwhile say how far the index is.

    Raises: IndexBehind when it does not get there within `timeout` seconds.
    """
    from actors import index
    from pipelines.ask import ask_for
    from pipelines.searching import until_searchable

    async def look() -> None:
        with contextlib.suppress(CasebookError):
            status = await ask_for(IndexStatus, client, index.status, Nothing(), timeout=LOOK)
            progress.behind(status.behind)

    if position is not None:
        waiting = asyncio.create_task(until_searchable(client, position, timeout=timeout))
        while progress.wanted and not waiting.done():
            await look()
            await asyncio.wait([waiting], timeout=LOOK)
        await waiting
    if progress.wanted:
        await look()


def print_report(report: ImportReport | ImportCheck, seconds: float | None = None) -> None:
    """An import's counts and first rejects for a person; `seconds` is how long it took here."""
    counts = report.counts
    out.print(
        f"{counts.received:,} received = {counts.created:,} created + {counts.updated:,} updated"
        f" + {counts.unchanged:,} unchanged + {counts.rejected:,} rejected"
    )
    took = f", {seconds:.1f} s, {counts.received / seconds:,.0f} rows/s" if seconds else ""
    if report.mode is ImportMode.REPLACE:
        out.print(f"{report.archived:,} archived: not in the file")
    what = f"import {report.id} {report.status}" if isinstance(report, ImportReport) else "dry run"
    out.print(f"[dim]{what}{took}[/dim]", soft_wrap=True)
    for note in report.notes:
        out.print(f"[yellow]note[/yellow] {escape(note)}")
    for reject in report.rejects:
        where = f"{reject.file}:{reject.line}"
        what = f"{reject.field}: {reject.message}" if reject.field else reject.message
        out.print(f"[red]rejected[/red] {escape(where)} {escape(what)} [dim]({reject.code})[/dim]")
    if counts.rejected > len(report.rejects):
        out.print(f"[dim]and {counts.rejected - len(report.rejects):,} more[/dim]")
