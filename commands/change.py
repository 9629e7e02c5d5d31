"""Many entries changed at once: change, imports list, imports show, imports undo."""

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import orjson
from pydantic import BaseModel

from commands.base import (
    SEVERITIES,
    Failure,
    as_json,
    ask_operation,
    err,
    failures,
    me,
    out,
    plain,
    print_json,
)
from commands.named import selections
from commands.tasks import came_to, show_skips, show_task, watch
from commands.when import shown
from contracts.bulk import (
    ChangeEntries,
    ChangeStarted,
    EntriesChanged,
    GetSkips,
    SelectionCount,
    SkipPage,
    UndoCount,
    UndoImport,
)
from contracts.entries import EntryChanges
from contracts.imports import GetImport, ImportPage, ImportReport, ImportStatus, ListImports
from contracts.similar import NEAR, FindingStarted, FindSimilar, GetSimilar, SimilarPage

PATIENCE = 120.0  # seconds: fixing a selection of many entries takes a while
SHOWN = 20  # skipped entries, and ids of none


@click.command()
@click.argument("action", type=click.Choice(["update", "archive", "restore", "delete"]))
@click.argument("ids", nargs=-1, type=click.UUID)
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="Ids as lines, NDJSON, JSON or CSV, plain or packed; with --source external ones, too.",
)
@click.option("--category", help="Exactly this one, without its parts.")
@click.option("--tag")
@click.option("--severity", type=SEVERITIES)
@click.option("--source")
@click.option(
    "--archived/--live", default=None, help="Only these; by default what fits the action."
)
@click.option("--everything", is_flag=True, help="All entries.")
@click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="What an update sets.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--wait/--no-wait", default=True, help="Watch it until it has ended.")
@as_json
def change(
    action: Any,
    ids: tuple[UUID, ...],
    file: Path | None,
    pairs: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    wait: bool,
    json_: bool,
    archived: bool | None,
    **conditions: Any,
) -> None:
    """Change, archive, restore or delete all entries that fit, as a task.

    The entries are chosen when it begins. `casebook tasks cancel ID` stops it.
    """
    if archived is not None:
        conditions["archived"] = archived
    with failures():
        changes = EntryChanges(**_fields(pairs)) if pairs else None
    named = list(selections(ids, file, conditions["source"])) if ids or file else [{}]
    done = []
    if not named:
        err.print(f"{plain(str(file))} names no entry.", soft_wrap=True)
    for chosen in named:
        with failures():
            command = ChangeEntries(
                **{**conditions, **chosen},
                action=action,
                changes=changes,
                by=me(),
            )
        counted = ask_operation("bulk.count", SelectionCount, command, timeout=PATIENCE)
        ask = ("start", command, action, counted)
        done.append(_run(*ask, dry_run=dry_run, yes=yes, wait=wait, json_=json_))
    if done and not any(done):
        sys.exit(1)


@click.group()
def imports() -> None:
    """Imports: which there were, how one went, and taking one back."""


@imports.command(name="list")
@click.option("--source", help="Only of this one.")
@click.option("--status", type=click.Choice([one.value for one in ImportStatus]))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.option("--cursor", type=click.UUID, help="Where the page before ended.")
@as_json
def list_(json_: bool, **options: Any) -> None:
    """List imports, the newest first, with what became of their rows."""
    with failures():
        request = ListImports(**options)
    page = ask_operation("imports.list_page", ImportPage, request, timeout=PATIENCE)
    if json_:
        print_json(page)
        return
    for one in page.imports:
        state = "[red]stopped[/red]" if one.error else one.status
        by = f" by {plain(one.by)}" if one.by else ""
        out.print(f"[bold]{one.id}[/bold]  {one.mode} {state}", soft_wrap=True)
        out.print(f"    [dim]{_sum_of(one)}[/dim]")
        out.print(f"    [dim]began {shown(one.started_at)}{by}[/dim]", soft_wrap=True)
    if page.next_cursor:
        out.print(f"[dim]more: --cursor {page.next_cursor}[/dim]", soft_wrap=True)
    if not page.imports:
        out.print("no such imports.")


def _sum_of(one: ImportReport) -> str:
    return came_to(one.files, one.file_count, one.source, one.counts.model_dump())


@imports.command(name="show")
@click.argument("import_id", type=click.UUID)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0, 500))
@click.option("--offset", default=0, type=click.IntRange(0))
@as_json
def show_import(import_id: UUID, limit: int, offset: int, json_: bool) -> None:
    """Show an import's counts and its rejected rows."""
    from commands.import_report import print_report

    request = GetImport(id=import_id, limit=limit, offset=offset)
    report = ask_operation("imports.report", ImportReport, request, timeout=PATIENCE)
    print_json(report) if json_ else print_report(report)


@imports.command()
@click.argument("import_id", type=click.UUID)
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--wait/--no-wait", default=True, help="Watch it until it has ended.")
@as_json
def undo(import_id: UUID, dry_run: bool, yes: bool, wait: bool, json_: bool) -> None:
    """Take an import back, within 24 hours.

    What it created is archived, what it changed is as it was before. Entries that were changed
    since are left alone, and named. Exit code 1 where that is all of them.
    """
    command = UndoImport(import_id=import_id, by=me())
    counted = ask_operation("bulk.count_undo", UndoCount, command, timeout=PATIENCE)
    _say_later(counted)
    if not _run("undo", command, "undo", counted, dry_run=dry_run, yes=yes, wait=wait, json_=json_):
        sys.exit(1)


@imports.command()
@click.argument("import_id", type=click.UUID)
@click.option("--find", is_flag=True, help="Look for them first, as a task.")
@click.option("--minimum", default=NEAR, show_default=True, type=click.FloatRange(0, 1))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@click.option("--offset", default=0, type=click.IntRange(0))
@as_json
def similar(
    import_id: UUID, find: bool, minimum: float, limit: int, offset: int, json_: bool
) -> None:
    """Show an import's entries with the most similar other one, once that was looked for."""
    if find:
        command = FindSimilar(import_id=import_id, by=me())
        started = ask_operation("similar.find", FindingStarted, command, timeout=PATIENCE)
        if watch(started.task, quiet=json_).status != "succeeded":
            sys.exit(1)
    request = GetSimilar(id=import_id, minimum=minimum, limit=limit, offset=offset)
    page = ask_operation("similar.list_page", SimilarPage, request, timeout=PATIENCE)
    if json_:
        print_json(page)
        return
    for pair in page.pairs:
        out.print(f"{pair.similarity:.2f}  {pair.entry_id} {plain(pair.title)}", soft_wrap=True)
        out.print(f"[dim]      {pair.other_id} {plain(pair.other_title)}[/dim]", soft_wrap=True)
    if page.next_offset is not None:
        out.print(f"[dim]and more: --offset {page.next_offset}[/dim]")
    elif not page.pairs:
        out.print(f"Nothing was found from {minimum:g} on; --find looks for it.")


def _run(
    starting: str,
    command: BaseModel,
    what: str,
    found: SelectionCount,
    *,
    dry_run: bool,
    yes: bool,
    wait: bool,
    json_: bool,
) -> bool:
    """Do it, or only say what it would come to. False where all of it was passed over."""
    _say_names("no entry", found.missing)
    _say_names("archived", found.archived)
    skipped = len(found.missing) + len(found.archived)
    skipped += found.skipped if isinstance(found, UndoCount) else 0
    if dry_run or not found.count:
        print_json(found) if json_ else out.print(_counted(found))
        return dry_run or not skipped
    if not yes:
        click.confirm(f"{what.capitalize()} {found.count:,} entries?", abort=True, err=True)
    started = ask_operation(f"bulk.{starting}", ChangeStarted, command, timeout=PATIENCE)
    if not wait:
        print_json(started) if json_ else out.print(f"task {started.task}")
        return True
    task = watch(started.task, quiet=json_)
    if json_:
        print_json(task)
    else:
        show_task(task)
        _show_skips(started.task)
    if task.status != "succeeded":
        sys.exit(1)
    came_to = EntriesChanged(**task.result)
    return bool(came_to.changed or came_to.unchanged or not came_to.skipped)


def _say_later(found: UndoCount) -> None:
    if found.skipped:
        text = f"{found.skipped:,} entries were changed since, and would be left alone"
        err.print(f"[yellow]skipped[/yellow] {text}", soft_wrap=True)
    if found.later:
        err.print("To take them back, first take back, in this order:")
    for import_id in found.later:
        err.print(f"  casebook imports undo {import_id}", soft_wrap=True)


def _say_names(what: str, names: tuple[str, ...]) -> None:
    for name in names[:SHOWN]:
        err.print(f"[yellow]{what}[/yellow] {plain(name)}", soft_wrap=True)
    if len(names) > SHOWN:
        err.print(f"[dim]and {len(names) - SHOWN:,} more[/dim]")


def _counted(found: SelectionCount) -> str:
    text = f"{found.count:,} entries."
    return f"{text} No entry has {len(found.missing):,} of the ids." if found.missing else text


def _show_skips(task: UUID) -> None:
    page = ask_operation("bulk.skips", SkipPage, GetSkips(task=task, limit=SHOWN), timeout=PATIENCE)
    show_skips(task, page)


def _fields(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`field=value` pairs; tags are separated by commas, custom is JSON."""
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise Failure(f"--set is written field=value, not {pair!r}.", "CHANGE_INVALID", 2)
        if name == "tags":
            fields[name] = [tag.strip() for tag in value.split(",") if tag.strip()]
        elif name == "custom":
            fields[name] = _json(value)
        else:
            fields[name] = value
    return fields


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"{text[:100]!r} is no JSON: {error}", "CHANGE_INVALID", 2) from None
