"""Import: many entries at once."""

import asyncio
import contextlib
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click
from click.core import ParameterSource

from commands.base import Failure, as_json, out, print_json, say_json, talk
from commands.import_progress import KINDS, ImportProgress, default_kind
from commands.import_report import print_report, say_kept, say_rejects
from commands.sources import Asked, source_options, unable
from contracts.base import Nothing
from contracts.errors import (
    CasebookError,
    EncodingUnknown,
    ImportUndone,
    ReplaceTooMuch,
    TooManyRejects,
    UnsupportedFormat,
)
from contracts.imports import (
    REMOVED_MAX,
    Duplicates,
    ImportCheck,
    ImportMode,
    ImportReport,
)
from contracts.position import Position
from contracts.search import IndexStatus
from contracts.similar import FindSimilar
from settings import Settings

if TYPE_CHECKING:
    from pipelines.importing import Plan

R = TypeVar("R", bound=ImportReport | ImportCheck)

#: The same files would end so again, or the import takes no more.
HOPELESS = (UnsupportedFormat.code, EncodingUnknown.code, ImportUndone.code)

LOOK = 1.0  # seconds between two looks at how far the index is, and that one may take
LAST_LOOKS, SOON = 50, 0.02  # how often the last one is repeated at most; seconds between two
LAST_LOOK = 10.0  # seconds that the last one may take: it is the one that a log ends with


@click.command(name="import")
@click.argument("files", nargs=-1, required=True)
@source_options
@click.option("--save-mapping", "save_as", metavar="NAME", help="Keep the mapping used here.")
@click.option(
    "--mode",
    type=click.Choice([m.value for m in ImportMode]),
    default="upsert",
    callback=lambda _, __, value: ImportMode(value),
)
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
    callback=lambda _, __, value: Duplicates(value),
    help="Rows whose text another entry holds; auto keeps those with an external id.",
)
@click.option("--dry-run", is_flag=True, help="Only read, validate and count.")
@click.option("--similar", is_flag=True, help="Look for near duplicates afterwards.")
@click.option("--resume", type=click.UUID, help="Go on with this import, from the same files.")
@click.option("--rejects", type=click.Path(path_type=Path), help="A file for rejected rows.")
@click.option("--max-rejects", type=click.IntRange(0), help="Stop where there are more.")
@click.option("--wait/--no-wait", default=True, help="Return once searches find it.")
@click.option(
    "--progress",
    "shown",
    type=click.Choice(KINDS),
    help="On stderr: by default json with --json, else a terminal's bar, or plain lines.",
)
@click.option("--quiet", is_flag=True, help="No progress, and not the import's id.")
@as_json
def import_(
    files: tuple[str, ...],
    asked: Asked,
    save_as: str | None,
    dry_run: bool,
    similar: bool,
    rejects: Path | None,
    wait: bool,
    shown: Any,
    quiet: bool,
    json_: bool,
    **planned: Any,
) -> None:
    """Import NDJSON, JSON, CSV, Markdown and exports of search servers.

    FILES are files, folders or quoted patterns, plain or packed with gzip, bz2, xz or zstd; - is
    stdin.
    """
    from pipelines.formats.paths import files_of
    from pipelines.rejects import RejectsFile

    if dry_run:
        _refuse_with_dry_run(resume=planned["resume"], save_mapping=save_as, similar=similar)
    with unable():
        plan = replace(asked.plan(), said=_said("mode", "duplicates"), **planned)
        paths = files_of(files)
        apart(rejects, paths)
        mark = asked.encoding is not None
        plan = replace(plan, rejects=None if rejects is None else RejectsFile(rejects, mark=mark))
    begun: list[UUID] = []

    async def conversation(client: Any, settings: Settings) -> ImportReport | ImportCheck:
        complete = await asked.completed(plan, client, settings)
        kind = shown or default_kind(quiet=quiet, json=json_)
        progress = ImportProgress(paths, kind, json=json_)
        if dry_run:
            return await _check(client, complete, progress)
        if save_as is not None:
            await _save(client, save_as, complete, settings)

        def begin(import_id: UUID) -> None:
            begun.append(import_id)
            if not quiet:
                progress.begin(import_id)

        return await _import(client, complete, progress, begin, similar, wait, settings)

    started = time.monotonic()
    report = _talk_or_tell(conversation, begun, plan, json_)
    if json_:
        print_json(report)
    else:
        print_report(report, time.monotonic() - started)
        if similar and isinstance(report, ImportReport):
            out.print(f"[dim]near duplicates: casebook imports similar {report.id}[/dim]")
    say_rejects(plan.rejects, json=json_)
    if report.error is not None:  # what a dry run has found
        code = 1 if report.error.code == TooManyRejects.code else 2
        raise Failure(report.error.message, report.error.code, code)
    sys.exit(1 if report.counts.rejected else 0)


def _refuse_with_dry_run(**given: object) -> None:
    """Raise a UsageError for options that make no sense where nothing is written."""
    if names := [f"--{name.replace('_', '-')}" for name, value in given.items() if value]:
        raise click.UsageError(f"--dry-run writes nothing: leave out {', '.join(names)}.")


def _said(*names: str) -> list[str]:
    """Those of the options that are on the command line."""
    source, default = click.get_current_context().get_parameter_source, ParameterSource.DEFAULT
    return [name for name in names if source(name) is not default]


async def _check(client: Any, plan: "Plan", progress: ImportProgress) -> ImportCheck:
    from pipelines.checking import check_streams

    async with progress.shown():
        return await check_streams(
            client, progress.opened(), plan, progress.advance, sent=progress.sent
        )


async def _save(client: Any, name: str, plan: "Plan", settings: Settings) -> None:
    from pipelines.mapping import save_shape

    await save_shape(client, name, plan.shape, by=plan.by, timeout=settings.write_timeout)


async def _import(
    client: Any,
    plan: "Plan",
    progress: ImportProgress,
    begin: Callable[[UUID], None],
    similar: bool,
    wait: bool,
    settings: Settings,
) -> ImportReport:
    from actors import similar as operations
    from pipelines.ask import ask
    from pipelines.importing import PATIENCE, import_streams

    async with progress.shown():
        report = await import_streams(
            client,
            progress.opened(),
            plan,
            progress.advance,
            begin,
            names=progress.names(),
            sent=progress.sent,
            behind=progress.behind,
        )
        if similar:
            found = FindSimilar(import_id=report.id, by=plan.by)
            await ask(client, operations.find, found, timeout=settings.write_timeout)
        until = report.position if wait else None
        await until_found(client, until, progress, timeout=PATIENCE)
    return report


def _talk_or_tell(
    conversation: Callable[[Any, Settings], Awaitable[R]],
    begun: list[UUID],
    plan: "Plan",
    json_: bool,
) -> R:
    """As `talk`; of an import that does not end, say what is kept and how to go on."""
    try:
        with unable():
            return talk(conversation)
    except Failure as failure:
        if failure.code in HOPELESS:
            raise
        option = " --max-removed 100" if failure.code == ReplaceTooMuch.code else ""
        kept = say_kept(begun, option, json=json_)
        say_rejects(plan.rejects, json=json_)
        if json_ and kept is not None and failure.code == TooManyRejects.code:
            print_json(kept)
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        say_kept(begun, json=json_)
        sys.exit(130)
    except Exception as fault:  # of ours: its traceback stands below
        say_kept(begun, json=json_)
        if json_:
            from pipelines.importing import reason_of

            say_json({"traceback": "".join(traceback.format_exception(fault))})
            raise Failure(reason_of(fault).message, CasebookError.code, 2) from fault
        raise


def apart(rejects: Path | None, paths: list[str]) -> None:
    """Raise a Failure where the file for rejects is one of those that are read."""
    if rejects is not None and rejects.exists():
        same = [path for path in paths if path != "-" and rejects.samefile(path)]
        if same:
            message = f"{same[0]} is read: its rejects go to another file."
            raise Failure(message, "REJECTS_UNWRITABLE", 2)


async def until_found(
    client: Any, position: str | None, progress: ImportProgress, *, timeout: float
) -> None:
    """Wait until searches see `position` (None: don't wait); meanwhile say how far the index is.

    Raises: IndexBehind when it does not get there within `timeout` seconds.
    """
    from actors import index
    from pipelines.ask import ask_for
    from pipelines.searching import until_searchable

    async def look(timeout: float = LOOK) -> bool:
        """Say how far it is; whether that is before `position`."""
        with contextlib.suppress(CasebookError):
            status = await ask_for(IndexStatus, client, index.status, Nothing(), timeout=timeout)
            progress.behind(status.behind)
            there = Position.parse(status.position)
            return position is not None and not there.reaches(Position.parse(position))
        return False

    if position is not None:
        waiting = asyncio.create_task(until_searchable(client, position, timeout=timeout))
        while progress.wanted and not waiting.done():
            await look()
            await asyncio.wait([waiting], timeout=LOOK)
        await waiting
    if progress.wanted:
        # Searches see a commit milliseconds before it is published, which is what a look tells.
        for _ in range(LAST_LOOKS):
            if not await look(LAST_LOOK if position is not None else LOOK):
                break
            await asyncio.sleep(SOON)
