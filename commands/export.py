"""Entries as files that import reads again."""

import contextlib
import csv
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import orjson

from commands.base import Failure, err, failures, me, plain, talk
from contracts.entries import ListEntries
from settings import SecretFile, Settings

if TYPE_CHECKING:
    from contracts.imports import ImportedEntry

SHOWN = 10  # files named before the rest are counted

Put = Callable[["ImportedEntry"], object]


@click.command()
@click.option(
    "--format", "kind", type=click.Choice(["ndjson", "csv", "markdown"]), default="ndjson"
)
@click.option("--output", type=click.Path(path_type=Path), help="A file instead of stdout.")
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Of Markdown: the folder, with a file for each entry.",
)
@click.option("--remove", is_flag=True, help="Remove the folder's files of entries that are gone.")
@click.option("--category", help="With all that is in parts of it.")
@click.option("--tag")
@click.option("--source")
def export(kind: str, output: Path | None, to: Path | None, remove: bool, **filters: Any) -> None:
    """Write entries in a form that import reads.

    As Markdown each entry has a file of its own, and only those that changed are written.
    """
    if (kind == "markdown") != (to is not None) or (to is not None and output is not None):
        raise click.UsageError("--format markdown goes --to DIR, the others to --output FILE.")
    if remove and (to is None or filters["category"] or filters["tag"]):
        raise click.UsageError("--remove is for a whole source --to a folder, not for a part.")
    wanted = ListEntries(**filters)
    if to is not None:
        _to_folder(to, wanted, remove)
        return
    with _sink(output) as sink:
        counts = talk(_each(wanted, _writer(kind, sink), kind))
    _say(counts)


def _each(wanted: ListEntries, put: Put, kind: str) -> Any:
    """A conversation that puts every entry; how many, and what of them could not be said."""

    async def conversation(client: Any, settings: Settings) -> tuple[int, int]:
        from pipelines.exporting import export_entries, importable

        count = unsaid = 0
        async for entry in export_entries(client, wanted):
            row = importable(entry)
            put(row)
            count += 1
            unsaid += len(entry.relations) - len(row.related)
        await _note(client, settings, count, kind)
        return count, unsaid

    return conversation


async def _note(client: Any, settings: Settings, count: int, kind: str) -> None:
    """Count the export, if telling so costs it nothing."""
    from pipelines.events import exported, tell
    from pipelines.privacy import known_user

    who = known_user(settings.analytics_key, settings.data / SecretFile.ANALYTICS_KEY, me())
    await tell(client, exported(count, kind, who))


def _writer(kind: str, sink: IO[str]) -> Put:
    from contracts.imports import ImportedEntry
    from pipelines.exporting import cells_of, row_of

    if kind == "ndjson":
        return lambda entry: sink.write(orjson.dumps(row_of(entry)).decode() + "\n")
    table = csv.DictWriter(sink, list(ImportedEntry.model_fields))
    table.writeheader()
    return lambda entry: table.writerow(cells_of(entry))


def _to_folder(root: Path, wanted: ListEntries, remove: bool) -> None:
    from pipelines.formats.markdown_folder import MarkdownFolder

    written = 0

    def put(entry: "ImportedEntry") -> None:
        nonlocal written
        written += folder.put(entry)

    try:
        with failures():
            folder = MarkdownFolder(root, wanted.source)
        counts = talk(_each(wanted, put, "markdown"))
        whole = not (wanted.category or wanted.tag)
        unseen = folder.unseen() if whole else []
        if remove:
            for path in unseen:
                path.unlink()
    except OSError as error:
        raise Failure(f"{root} can't be written: {error}", "OUTPUT_UNWRITABLE", 2) from None
    _say(counts, f", {written:,} files written")
    _say_unseen(unseen, remove)


def _say(counts: tuple[int, int], more: str = "") -> None:
    count, unsaid = counts
    err.print(f"[dim]{count:,} entries{more}[/dim]")
    if unsaid:
        text = f"{unsaid:,} relations to entries of other sources are not among them"
        err.print(f"[yellow]note[/yellow] {text}", soft_wrap=True)


def _say_unseen(paths: list[Path], removed: bool) -> None:
    if paths:
        what = "removed" if removed else "of no such entry any more; --remove removes them"
        err.print(f"[yellow]note[/yellow] {len(paths):,} files {what}:", soft_wrap=True)
        for path in paths[:SHOWN]:
            err.print(f"  {plain(str(path))}", soft_wrap=True)
        if len(paths) > SHOWN:
            err.print(f"  and {len(paths) - SHOWN:,} more")


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
