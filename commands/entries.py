"""One entry, or a page of them: add, get, edit, rm, list."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import orjson

from commands.base import (
    SEVERITIES,
    Failure,
    Kept,
    as_json,
    err,
    failures,
    me,
    out,
    plain,
    print_json,
    talk,
    wait_option,
)
from commands.reading import Read, read, whole
from commands.tables import Column, print_table
from contracts.base import Write
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    Entry,
    EntryChanges,
    EntryFields,
    EntryPage,
    EntryStored,
    ListEntries,
    UpdateEntry,
)
from contracts.search import SearchHit
from settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def field_options(command: F) -> F:
    """The options that every command that writes an entry takes."""
    for option in (
        click.option("--problem", help="What a person meets. @FILE reads a file, - reads stdin."),
        click.option("--solution", help="What helps. @FILE reads a file, - reads stdin."),
        click.option("--category"),
        click.option("--severity", type=SEVERITIES),
        click.option("--tag", "tags", multiple=True, help="May be given several times."),
    ):
        command = option(command)
    return command


def given(**fields: Any) -> dict[str, Any]:
    """The fields that were given on the command line, texts read from where they are."""
    found = {name: value for name, value in fields.items() if value not in (None, ())}
    for name in ("problem", "solution"):
        text = found.get(name)
        if text == "-":
            found[name] = sys.stdin.read()
        elif text is not None and text.startswith("@"):
            try:
                found[name] = Path(text[1:]).read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise Failure(f"{text[1:]}: {error}", "SOURCE_UNREADABLE", 2) from None
    return found


def write(operation: str, command: Write, json_: bool, done: str, wait: bool) -> None:
    """Ask for a write of one entry and say what it came to."""

    async def conversation(client: Any, settings: Settings) -> bytes:
        from actors import entries
        from pipelines.searching import until_searchable, with_similar
        from pipelines.tasks import ask_write

        asked = getattr(entries, operation)
        reply = await ask_write(client, asked, command, timeout=settings.write_timeout)
        if isinstance(command, CreateEntry):
            reply = await with_similar(client, reply, command.entry)
        if wait:
            position = orjson.loads(reply)["position"]
            await until_searchable(client, position, timeout=settings.write_timeout)
        return reply

    try:
        reply = talk(conversation)
    except Kept as kept:
        if json_:
            print_json({"task": kept.task, "status": "enqueued", "key": kept.key})
        raise
    if json_:
        print_json(reply)
    elif operation == "delete":
        out.print(done)
    else:
        stored = EntryStored.from_reply(reply)
        out.print(f"{done} [bold]{stored.entry.id}[/bold] (version {stored.entry.version})")
        for other in stored.similar:
            out.print(f"{other.similarity:.0%} like {other.id}: {plain(other.title)}")


@click.command()
@click.argument("title")
@field_options
@click.option("--key", help="Idempotency key: the same again changes nothing.")
@wait_option
@as_json
def add(title: str, key: str | None, wait: bool, json_: bool, **fields: Any) -> None:
    """Store a new entry."""
    with failures():
        entry = EntryFields(title=title, **given(**fields))
        command = CreateEntry(entry=entry, by=me(), **({"key": key} if key else {}))
    write("create", command, json_, "stored", wait)


@click.command()
@click.argument("entry_id", type=click.UUID)
@as_json
def get(entry_id: UUID, json_: bool) -> None:
    """Show one entry whole; while PostgreSQL is away, for a person, as the index keeps it."""
    if json_:
        print_json(talk(functools.partial(whole, entry_id=entry_id)))
        return
    found = talk(functools.partial(read, entry_id=entry_id))
    if found.entry is not None:
        show(found.entry)
    note(found)


def show(entry: Entry | SearchHit) -> None:
    """One entry for a person, or what a hit shows of it: what helps comes first."""
    out.print(f"[bold]{plain(entry.title)}[/bold]")
    tags = ", ".join(entry.tags)
    whole = entry if isinstance(entry, Entry) else None
    state = " [red]archived[/red]" if whole and whole.archived else ""
    about = " · ".join((entry.category, entry.severity, tags, str(entry.id)))
    out.print(f"[dim]{plain(about)}[/dim]{state}")
    if entry.solution:
        out.print("\n[bold green]Solution[/bold green]\n" + plain(entry.solution))
    if entry.problem:
        out.print("\n[bold]Problem[/bold]\n" + plain(entry.problem))
    for relation in whole.relations if whole else ():
        name = f"{plain(relation.external_id)} " if relation.external_id else ""
        out.print(f"[dim]{relation.kind}: {name}{relation.to_id}[/dim]")


def note(found: Read) -> None:
    """Say, beside what is shown, why it is not more."""
    if found.note:
        err.print(f"[yellow]note:[/yellow] {plain(found.note)}", soft_wrap=True)


@click.command()
@click.argument("entry_id", type=click.UUID)
@click.option("--title")
@field_options
@click.option("--expect", "expected_version", type=int, help="Refuse if this is not its version.")
@click.option("--archive/--restore", default=None, help="Take it out of searches, or back.")
@wait_option
@as_json
def edit(
    entry_id: UUID,
    expected_version: int | None,
    archive: bool | None,
    wait: bool,
    json_: bool,
    **fields: Any,
) -> None:
    """Change an entry: the fields given, or, without any, in your editor."""
    if archive is not None:
        state = ChangeEntryState(id=entry_id, expected_version=expected_version, by=me())
        done = ("archive", "archived") if archive else ("restore", "restored")
        write(done[0], state, json_, done[1], wait)
        return
    changes = given(**fields)
    if not changes:
        entry = talk(functools.partial(whole, entry_id=entry_id))
        changes = in_editor(entry)
        expected_version = expected_version or entry.version
    with failures():
        command = UpdateEntry(
            id=entry_id,
            changes=EntryChanges(**changes),
            expected_version=expected_version,
            by=me(),
        )
    write("update", command, json_, "changed", wait)


def in_editor(entry: Entry) -> dict[str, Any]:
    """The entry as Markdown in $EDITOR, and what came back."""
    from pipelines.formats.markdown import parse, render

    text = click.edit(render(entry), extension=".md")
    if text is None:
        raise Failure("Nothing was changed: the editor was left without saving.", "UNCHANGED", 1)
    try:
        fields = parse(text, "entry.md")
    except ValueError as error:
        raise Failure(f"Nothing was changed: {error}", "MARKDOWN_UNREADABLE", 1) from None
    return {name: value for name, value in fields.items() if name in EntryFields.model_fields}


@click.command()
@click.argument("entry_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json
def rm(entry_id: UUID, yes: bool, json_: bool) -> None:
    """Remove an entry for good (edit --archive only hides it)."""
    if not yes:
        click.confirm(f"Remove {entry_id} with its versions?", abort=True, err=True)
    command = ChangeEntryState(id=entry_id, by=me())
    write("delete", command, json_, f"removed [bold]{entry_id}[/bold]", wait=False)


@click.command(name="list")
@click.option("--category", help="With all that is in parts of it.")
@click.option("--tag")
@click.option("--severity", type=SEVERITIES)
@click.option("--source")
@click.option("--archived", is_flag=True, help="The archived ones instead.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.option("--cursor", help="Where the page before ended.")
@as_json
def list_(json_: bool, **filters: Any) -> None:
    """List entries, newest first."""

    async def conversation(client: Any, settings: Settings) -> EntryPage:
        from actors import entries
        from pipelines.ask import ask_for

        request = ListEntries(**filters)
        return await ask_for(
            EntryPage, client, entries.list_page, request, timeout=settings.read_timeout
        )

    page = talk(conversation)
    if json_:
        print_json(page)
        return
    columns = (
        Column("id"),
        Column("title", text=True),
        Column("category", spare=1),
        Column("severity", spare=2),
        Column("updated", spare=3),
    )
    rows = []
    for entry in page.entries:
        updated = f"{entry.updated_at:%Y-%m-%d %H:%M}"
        about = (plain(entry.title), plain(entry.category), entry.severity)
        rows.append((str(entry.id), *about, updated))
    print_table(columns, rows)
    if page.next_cursor:
        out.print(f"[dim]more: --cursor {page.next_cursor}[/dim]")
