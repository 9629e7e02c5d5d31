"""`casebook`: one command per operation; the only module that prints.

Exit codes: 0 done; 1 refused, or some rows rejected; 2 could not run as asked; 3 PostgreSQL or
Redis can't be reached.
"""

import asyncio
import contextlib
import csv
import functools
import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import UUID

import click
import orjson
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from contracts.base import Nothing, field_errors
from contracts.entries import (
    ChangeEntryState,
    CreateEntry,
    Entry,
    EntryChanges,
    EntryFields,
    EntryPage,
    EntryStored,
    GetEntry,
    ListEntries,
    Severity,
    UpdateEntry,
)
from contracts.errors import CasebookError, NoReply, Unavailable, ValidationFailed
from contracts.imports import ImportCounts, ImportReport, OnLong
from contracts.search import (
    IndexStatus,
    IndexVerified,
    RebuildIndex,
    SearchQuery,
    SearchReply,
    VerifyIndex,
)
from contracts.system import DatabaseStatus
from settings import Settings, SettingsInvalid

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

START_WITHIN = 120.0  # seconds that `up --detach` waits

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

SEVERITIES = click.Choice([severity.value for severity in Severity])
as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
data_option = click.option("--data", type=click.Path(path_type=Path), help="The data folder.")
wait_option = click.option("--wait", is_flag=True, help="Return once searches can find it.")


class Failure(click.ClickException):
    """An error to be shown on one line, with its own exit code."""

    def __init__(self, message: str, code: str, exit_code: int) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code  # type: ignore[misc]  # click reads the instance

    def show(self, file: IO[Any] | None = None) -> None:
        err.print(f"[red]error:[/red] {escape(self.message)} [dim]({self.code})[/dim]")


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Our errors as messages and exit codes, never as tracebacks."""
    try:
        yield
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False, include_context=False))
        raise Failure(_field_list(errors), ValidationFailed.code, 1) from None
    except ValidationFailed as error:
        raise Failure(_field_list(error.details.get("errors", [])), error.code, 1) from None
    except NoReply as error:
        message = f"{error.message} Is a worker running? `casebook status` tells."
        raise Failure(message, error.code, 3) from None
    except Unavailable as error:
        reason = error.details.get("reason")
        message = f"{error.message} ({reason})" if reason else error.message
        raise Failure(message, error.code, 3) from None
    except CasebookError as error:
        raise Failure(error.message, error.code, 1) from None
    except SettingsInvalid as error:
        raise Failure(str(error), error.code, 2) from None


def _field_list(errors: list[dict[str, str]]) -> str:
    return "; ".join(f"{e['field']}: {e['message']}" for e in errors) or "not valid"


def load(**overrides: Any) -> Settings:
    """The settings, or a Failure that says which is wrong."""
    with failures():
        return Settings.load(**overrides)


def talk(conversation: Callable[[Any, Settings], Awaitable[T]]) -> T:
    """Run a conversation with the queue: `conversation(client, settings)`."""
    settings = load()
    if settings.redis_url is None:
        raise Failure(
            f"Nothing runs on {settings.data}. Start it with `casebook up`, or set "
            "CASEBOOK_REDIS_URL.",
            "NOT_RUNNING",
            3,
        )

    async def run() -> T:
        from actors.broker.client import Client
        from actors.catalogue import producer_broker

        assert settings.redis_url is not None
        broker = producer_broker(settings.redis_url.get_secret_value(), settings.node)
        async with Client(broker) as client:
            return await conversation(client, settings)

    with failures():
        return asyncio.run(run())


def print_json(value: BaseModel | bytes | dict[str, Any]) -> None:
    """One JSON document on standard output."""
    if isinstance(value, BaseModel):
        value = value.model_dump_json().encode()
    if isinstance(value, dict):
        value = orjson.dumps(value, default=str)
    sys.stdout.buffer.write(value + b"\n")
    sys.stdout.buffer.flush()


def me() -> str:
    """Who is at the keyboard, for the entry's history."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="casebook")
def main() -> None:
    """Casebook: problems and their solutions, found while something is broken."""


# --- entries


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


def write(operation: str, command: BaseModel, json_: bool, done: str, wait: bool) -> None:
    """Ask for a write of one entry and say what it came to."""

    async def conversation(client: Any, settings: Settings) -> bytes:
        from actors import entries
        from pipelines.ask import ask
        from pipelines.searching import until_searchable

        asked = getattr(entries, operation)
        reply = await ask(client, asked, command, timeout=settings.write_timeout)
        if wait:
            position = orjson.loads(reply)["position"]
            await until_searchable(client, position, timeout=settings.write_timeout)
        return reply

    reply = talk(conversation)
    if json_:
        print_json(reply)
    elif operation == "delete":
        out.print(done)
    else:
        entry = EntryStored.model_validate_json(reply).entry
        out.print(f"{done} [bold]{entry.id}[/bold] (version {entry.version})")


@main.command()
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


@main.command()
@click.argument("entry_id", type=click.UUID)
@as_json
def get(entry_id: UUID, json_: bool) -> None:
    """Show one entry whole."""
    entry = talk(functools.partial(_fetch, entry_id=entry_id))
    if json_:
        print_json(entry)
    else:
        show(entry)


async def _fetch(client: Any, settings: Settings, *, entry_id: UUID) -> Entry:
    from actors import entries
    from pipelines.ask import ask_for

    request = GetEntry(id=entry_id)
    return await ask_for(Entry, client, entries.get, request, timeout=settings.read_timeout)


@main.command()
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
        entry = talk(functools.partial(_fetch, entry_id=entry_id))
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
    import yaml

    from pipelines.formats.markdown import parse, render

    text = click.edit(render(entry), extension=".md")
    if text is None:
        raise Failure("Nothing was changed: the editor was left without saving.", "UNCHANGED", 1)
    try:
        fields = parse(text, "entry.md")
    except (ValueError, yaml.YAMLError) as error:
        raise Failure(f"Nothing was changed: {error}", "MARKDOWN_UNREADABLE", 1) from None
    return {name: value for name, value in fields.items() if name in EntryFields.model_fields}


@main.command()
@click.argument("entry_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json
def rm(entry_id: UUID, yes: bool, json_: bool) -> None:
    """Remove an entry for good (edit --archive only hides it)."""
    if not yes:
        click.confirm(f"Remove {entry_id} with its versions?", abort=True, err=True)
    command = ChangeEntryState(id=entry_id, by=me())
    write("delete", command, json_, f"removed [bold]{entry_id}[/bold]", wait=False)


@main.command(name="list")
@click.option("--category")
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
    table = Table("id", "title", "category", "severity", "updated", box=None)
    for entry in page.entries:
        updated = f"{entry.updated_at:%Y-%m-%d %H:%M}"
        table.add_row(str(entry.id), escape(entry.title), entry.category, entry.severity, updated)
    out.print(table)
    if page.next_cursor:
        out.print(f"[dim]more: --cursor {page.next_cursor}[/dim]")


# --- search


@main.command()
@click.argument("query", nargs=-1)
@click.option("--category", multiple=True)
@click.option("--tag", multiple=True)
@click.option("--severity", multiple=True, type=SEVERITIES)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 100))
@click.option("--offset", default=0, type=click.IntRange(0, 10_000))
@click.option("--after", help="Wait until the index has reached this position.")
@as_json
def search(query: tuple[str, ...], json_: bool, **options: Any) -> None:
    """Find entries; the best one's solution is shown first."""

    async def conversation(
        client: Any, settings: Settings
    ) -> tuple[bytes, SearchReply, Entry | None]:
        from pipelines.searching import find

        request = SearchQuery(q=" ".join(query), **options)
        body = await find(client, request, timeout=settings.read_timeout)
        reply = SearchReply.model_validate_json(body)
        best = None
        if reply.hits and not json_ and not request.offset:
            best = await _fetch(client, settings, entry_id=reply.hits[0].id)
        return body, reply, best

    body, reply, best = talk(conversation)
    if json_:
        print_json(body)
        return
    if not reply.hits:
        out.print("Nothing was found. Fewer or other words may help.")
        return
    if best is not None:
        show(best)
        out.rule(style="dim")
    shown = f"{reply.offset + 1}-{reply.offset + len(reply.hits)} of {reply.total}"
    table = Table("", "title", "category", "severity", "id", title=shown, box=None)
    for place, hit in enumerate(reply.hits, reply.offset + 1):
        table.add_row(str(place), escape(hit.title), hit.category, hit.severity, str(hit.id))
    out.print(table)


def show(entry: Entry) -> None:
    """One entry for a person: what helps comes first."""
    out.print(f"[bold]{escape(entry.title)}[/bold]")
    tags = ", ".join(entry.tags)
    state = " [red]archived[/red]" if entry.archived else ""
    about = " · ".join((entry.category, entry.severity, tags, str(entry.id)))
    out.print(f"[dim]{escape(about)}[/dim]{state}")
    if entry.solution:
        out.print("\n[bold green]Solution[/bold green]\n" + escape(entry.solution))
    if entry.problem:
        out.print("\n[bold]Problem[/bold]\n" + escape(entry.problem))
    for relation in entry.relations:
        out.print(f"[dim]{relation.kind}: {relation.to_id}[/dim]")


# --- bulk


@main.command(name="import")
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

    async def conversation(client: Any, settings: Settings) -> ImportReport:
        with _progress(quiet or json_, files) as (opened, advance):
            report = await import_streams(client, opened, plan, advance)
            if wait and report.position:
                await until_searchable(client, report.position, timeout=PATIENCE)
        return report

    started = time.monotonic()
    try:
        report = talk(conversation)
    except Failure as failure:
        # 1 is kept for rejected rows
        raise Failure(failure.message, failure.code, max(failure.exit_code, 2)) from None
    if json_:
        print_json(report)
    else:
        _print_report(report, time.monotonic() - started)
    sys.exit(1 if report.counts.rejected else 0)


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


def _print_report(report: ImportReport, seconds: float) -> None:
    counts = report.counts
    out.print(
        f"{counts.received:,} received = {counts.created:,} created + {counts.updated:,} updated"
        f" + {counts.unchanged:,} unchanged + {counts.rejected:,} rejected"
    )
    rate = counts.received / seconds if seconds else 0.0
    out.print(f"[dim]import {report.id}, {seconds:.1f} s, {rate:,.0f} rows/s[/dim]")
    for reject in report.rejects:
        where = f"{reject.file}:{reject.line}"
        what = f"{reject.field}: {reject.message}" if reject.field else reject.message
        out.print(f"[red]rejected[/red] {escape(where)} {escape(what)} [dim]({reject.code})[/dim]")
    if counts.rejected > len(report.rejects):
        out.print(f"[dim]and {counts.rejected - len(report.rejects):,} more[/dim]")


@main.command()
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


# --- running it


@main.command()
@data_option
@click.option("--port", type=int)
@click.option("--host")
@click.option("--workers", type=int, help="Processes for searches, reads and writes.")
@click.option("--sample", is_flag=True, help="Load the sample on the first start.")
@click.option("--detach", is_flag=True, help="Return when it is ready.")
def up(sample: bool, detach: bool, **overrides: Any) -> None:
    """Run everything here: PostgreSQL, Valkey, workers, HTTP. Ctrl-C stops it."""
    from deploy.errors import DeployError
    from deploy.local import Local

    settings = load(find_servers=False, **overrides)
    if detach:
        _up_detached(settings)
        return

    def ready(settings: Settings) -> None:
        _banner(settings)

    def report(news: str) -> None:
        err.print(f"[dim]{escape(news)}[/dim]", soft_wrap=True)

    with failures():
        try:
            Local(settings, sample=sample, report=report).run(ready)
        except DeployError as error:
            raise Failure(str(error), error.code, 2) from None
    err.print("stopped; everything is kept.")


def _banner(settings: Settings) -> None:
    from deploy.local import url_of

    out.print(
        f"\n[bold]Casebook is ready[/bold] on {url_of(settings)} (API description at /docs)\n"
        f"  data    {settings.data}\n"
        f"  key     {settings.admin_key}  (Authorization: Bearer KEY)\n"
        f"  search  casebook search S0C7\n"
        f"  stop    Ctrl-C, or `casebook down`\n",
        soft_wrap=True,
    )


def _up_detached(settings: Settings) -> None:
    """Start `up` in a session of its own and wait until it says that it is ready."""
    from deploy.lock import holder

    log = settings.data / "logs" / "up.log"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = log.open("ab")
    except OSError as error:
        message = f"The data folder {settings.data} can't be used: {error}"
        raise Failure(message, "DATA_FOLDER_UNWRITABLE", 2) from None
    with file:
        start = log.stat().st_size
        sample = ["--sample"] if "--sample" in sys.argv else []
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "up", *sample],
            env={**os.environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        found = holder(settings.data)
        if found is not None and found.pid == process.pid and found.url:
            _banner(settings)
            return
        time.sleep(0.02)
    if process.poll() is None:
        message = (
            f"It is not ready after {START_WITHIN:.0f} s and goes on trying; see {log.parent}."
        )
        raise Failure(message, "NOT_READY", 2)
    said = log.read_bytes()[start:].decode(errors="replace").strip()
    raise Failure(said, "NOT_STARTED", 2)


@main.command()
@data_option
def down(**overrides: Any) -> None:
    """Stop what `up` started, and wait until it has stopped."""
    from deploy.lock import holder

    settings = load(find_servers=False, **overrides)
    found = holder(settings.data)
    if found is None:
        raise Failure(f"Nothing runs on {settings.data}.", "NOT_RUNNING", 1)
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while (now := holder(settings.data)) is not None and now.pid == found.pid:
        if time.monotonic() > deadline:
            raise Failure(f"pid {found.pid} has not stopped within 60 s.", "STILL_RUNNING", 1)
        time.sleep(0.02)
    out.print("stopped; everything is kept.")


@main.command()
@click.option("--role", type=click.Choice(["worker", "importer", "indexer"]), default="worker")
def worker(role: str) -> None:
    """Run one worker process against servers that run already."""
    import logging

    from actors.worker import run

    settings = _with_servers(load())
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
    with failures():
        sys.exit(0 if run(settings, role) else 1)


@main.command()
@click.option("--host")
@click.option("--port", type=int)
def serve(**overrides: Any) -> None:
    """Run the HTTP shim alone."""
    from shim.app import serve as serve_http

    settings = _with_servers(load(**overrides), database=False)
    with failures():
        serve_http(settings)


@main.command()
def migrate() -> None:
    """Bring the database's schema to this release and make the first key."""
    from deploy.errors import DeployError
    from deploy.ground import prepare

    settings = _with_servers(load(), redis=False)
    with failures():
        try:
            applied = prepare(settings)
        except DeployError as error:
            raise Failure(str(error), error.code, 2) from None
    for name in applied:
        out.print(f"applied {name}")
    out.print("the schema is up to date.")


def _with_servers(settings: Settings, *, database: bool = True, redis: bool = True) -> Settings:
    missing = []
    if database and settings.database_url is None:
        missing.append("CASEBOOK_DATABASE_URL")
    if redis and settings.redis_url is None:
        missing.append("CASEBOOK_REDIS_URL")
    if missing:
        raise Failure(f"Set {' and '.join(missing)}, or run `casebook up`.", "NOT_RUNNING", 3)
    return settings


@main.command()
@click.option("--verify", is_flag=True, help="Compare the index with PostgreSQL, entry by entry.")
@as_json
def status(verify: bool, json_: bool) -> None:
    """How the system is, on one page. Exit code 1 when something is not well."""
    page = talk(functools.partial(_status, verify=verify))
    well = all("error" not in part for part in page.values() if isinstance(part, dict))
    well = well and page.get("verified", {}).get("agrees", True)
    if json_:
        print_json(page)
    else:
        for name, part in page.items():
            cells = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in part.items() if v != [])
            style = "red" if "error" in part or part.get("agrees") is False else "green"
            out.print(f"[{style}]{name:10}[/{style}] {escape(cells)}", soft_wrap=True)
    sys.exit(0 if well else 1)


async def _status(client: Any, settings: Settings, *, verify: bool) -> dict[str, Any]:
    from actors import index, system
    from pipelines.ask import ask_for

    queue = index.queue_of(settings.node)

    async def part(asking: Coroutine[Any, Any, BaseModel]) -> dict[str, Any]:
        try:
            return (await asking).model_dump(mode="json")
        except CasebookError as error:
            return {"error": error.code, "message": error.message}

    patience = 3.0
    depths = await asyncio.to_thread(_depths, client.broker)
    page: dict[str, Any] = {
        "database": await part(
            ask_for(DatabaseStatus, client, system.database, Nothing(), timeout=patience)
        ),
        "index": await part(
            ask_for(IndexStatus, client, index.status, Nothing(), timeout=patience)
        ),
        "queues": depths,
    }
    if verify:
        request = VerifyIndex()
        page["verified"] = await part(
            ask_for(IndexVerified, client, index.verify, request, timeout=600, queue=queue)
        )
    return page


def _depths(broker: Any) -> dict[str, Any]:
    depths = {name: broker.depth(name) for name in sorted(broker.queues)}
    return {
        name: " ".join(f"{count} {state}" for state, count in depth.items() if count) or "empty"
        for name, depth in depths.items()
    }


@main.command()
def reindex() -> None:
    """Build the index anew beside the old one, then swap; searches go on meanwhile."""

    async def conversation(client: Any, settings: Settings) -> None:
        from actors import index
        from pipelines.ask import ask

        queue = index.queue_of(settings.node)
        await ask(client, index.rebuild, RebuildIndex(by=me()), timeout=3600, queue=queue)

    talk(conversation)
    out.print("the index was built anew.")


if __name__ == "__main__":
    main(prog_name="casebook")
