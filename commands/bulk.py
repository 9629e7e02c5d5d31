"""Many entries at once: import and export."""

import asyncio
import contextlib
import csv
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import click
import orjson
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from commands.base import Failure, as_json, err, me, out, print_json, talk
from contracts.entries import ListEntries
from contracts.imports import GetImport, ImportCounts, ImportReport, OnLong
from settings import Settings


@click.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--source", default="", help="Whose external ids these are.")
@click.option("--map", "pairs", multiple=True, metavar="FIELD=PATH", help="May be given often.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["auto", "ndjson", "json", "csv", "markdown"]),
    default="auto",
)
@click.option("--on-long", type=click.Choice([o.value for o in OnLong]), default="reject")
@click.option("--resume", type=click.UUID, help="Go on with this import, from the same files.")
@click.option("--wait/--no-wait", default=True, help="Return once searches find it.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@as_json
def import_(
    files: tuple[Path, ...],
    source: str,
    pairs: tuple[str, ...],
    kind: Any,
    on_long: str,
    resume: UUID | None,
    wait: bool,
    quiet: bool,
    json_: bool,
) -> None:
    """Import NDJSON, JSON arrays, CSV or Markdown, plain or gzipped; - is stdin."""
    from contracts.errors import MappingInvalid
    from pipelines.importing import PATIENCE, Plan, import_streams
    from pipelines.mapping import parse_mapping
    from pipelines.searching import until_searchable

    try:
        mapping = parse_mapping(pairs)
    except MappingInvalid as error:
        raise Failure(error.message, error.code, 2) from None
    for file in files:
        if str(file) != "-" and not (file.is_file() and os.access(file, os.R_OK)):
            raise Failure(f"{file} is not a readable file.", "SOURCE_UNREADABLE", 2)
    plan = Plan(source, kind, mapping, OnLong(on_long), me(), resume)
    begun: list[UUID] = []

    async def conversation(client: Any, settings: Settings) -> ImportReport:
        with _progress(quiet or json_, files) as (opened, advance):
            report = await import_streams(client, opened, plan, advance, begun.append)
            if wait and report.position:
                await until_searchable(client, report.position, timeout=PATIENCE)
        return report

    started = time.monotonic()
    try:
        report = talk(conversation)
    except Failure as failure:
        # 1 is kept for rejected rows
        _say_kept(begun)
        raise Failure(failure.message, failure.code, max(failure.exit_code, 2)) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say_kept(begun)
        sys.exit(130)
    if json_:
        print_json(report)
    else:
        print_report(report, time.monotonic() - started)
    sys.exit(1 if report.counts.rejected else 0)


def _say_kept(begun: list[UUID]) -> None:
    """After an import that did not end: what is kept, and how to go on."""
    if not begun:
        return
    from actors import imports
    from pipelines.ask import ask_for

    (import_id,) = begun

    async def conversation(client: Any, settings: Settings) -> ImportReport:
        request = GetImport(id=import_id, limit=0)
        timeout = settings.read_timeout
        return await ask_for(ImportReport, client, imports.report, request, timeout=timeout)

    try:
        rows = f"{talk(conversation).counts.received:,} rows were read and are kept."
    except Failure:
        rows = "What was stored is kept."
    err.print(f"\n{rows} To go on from the same files:")
    err.print(f"  casebook import --resume {import_id} FILES", soft_wrap=True)


@contextlib.contextmanager
def _progress(
    quiet: bool, files: tuple[Path, ...]
) -> Iterator[tuple[Iterator[tuple[str, IO[bytes]]], Callable[[ImportCounts], None]]]:
    """The files, opened one after another, under a progress bar of their bytes."""
    size = sum(file.stat().st_size for file in files if str(file) != "-")
    text = TextColumn("{task.description}")
    columns = (text, BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=err, disable=quiet or not err.is_terminal)
    task = bar.add_task("importing", total=size or None)

    def opened() -> Iterator[tuple[str, IO[bytes]]]:
        for file in files:
            if str(file) == "-":
                yield "-", sys.stdin.buffer
                continue
            with file.open("rb") as stream:
                yield str(file), bar.wrap_file(stream, max(size, 1), task_id=task)

    def advance(counts: ImportCounts) -> None:
        done = counts.created + counts.updated + counts.unchanged
        bar.update(task, description=f"{done:,} entries, {counts.rejected:,} rejected")

    with bar:
        yield opened(), advance


def print_report(report: ImportReport, seconds: float | None = None) -> None:
    """An import's counts and first rejects for a person; `seconds` is how long it took here."""
    counts = report.counts
    out.print(
        f"{counts.received:,} received = {counts.created:,} created + {counts.updated:,} updated"
        f" + {counts.unchanged:,} unchanged + {counts.rejected:,} rejected"
    )
    took = f", {seconds:.1f} s, {counts.received / seconds:,.0f} rows/s" if seconds else ""
    out.print(f"[dim]import {report.id} {report.status}{took}[/dim]", soft_wrap=True)
    for reject in report.rejects:
        where = f"{reject.file}:{reject.line}"
        what = f"{reject.field}: {reject.message}" if reject.field else reject.message
        out.print(f"[red]rejected[/red] {escape(where)} {escape(what)} [dim]({reject.code})[/dim]")
    if counts.rejected > len(report.rejects):
        out.print(f"[dim]and {counts.rejected - len(report.rejects):,} more[/dim]")


@click.command()
@click.option("--format", "kind", type=click.Choice(["ndjson", "csv"]), default="ndjson")
@click.option("--output", type=click.Path(path_type=Path), help="A file instead of stdout.")
@click.option("--category")
@click.option("--tag")
@click.option("--source")
def export(kind: str, output: Path | None, **filters: Any) -> None:
    """Write entries in a form that import reads."""

    async def conversation(client: Any, settings: Settings) -> int:
        from contracts.imports import ImportedEntry
        from pipelines.exporting import export_entries, importable

        names, count = list(ImportedEntry.model_fields), 0
        with _sink(output) as sink:
            table = csv.DictWriter(sink, names)
            if kind == "csv":
                table.writeheader()
            async for entry in export_entries(client, ListEntries(**filters)):
                row, count = importable(entry), count + 1
                if kind == "ndjson":
                    sink.write(orjson.dumps(row).decode() + "\n")
                else:
                    custom = orjson.dumps(row["custom"]).decode() if row["custom"] else ""
                    table.writerow(row | {"tags": ",".join(row["tags"]), "custom": custom})
        return count

    err.print(f"[dim]{talk(conversation):,} entries[/dim]")


@contextlib.contextmanager
def _sink(output: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that appears whole or not at all."""
    if output is None:
        yield sys.stdout
        return
    staged = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with staged.open("w", encoding="utf-8", newline="") as file:
            yield file
        staged.replace(output)
    except OSError as error:
        raise Failure(f"{output} can't be written: {error}", "OUTPUT_UNWRITABLE", 2) from None
    finally:
        staged.unlink(missing_ok=True)
