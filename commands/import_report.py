"""What an import has come to, for a person."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from commands.base import Failure, err, file_name, out, plain, say_json, talk
from contracts.imports import GetImport, ImportCheck, ImportCounts, ImportMode, ImportReport
from settings import Settings

FILES = 10  # named before the rest are counted

if TYPE_CHECKING:
    from pipelines.rejects import RejectsFile


def print_report(report: ImportReport | ImportCheck, seconds: float | None = None) -> None:
    """An import's counts and first rejects for a person; `seconds` is how long it took here."""
    counts = report.counts
    out.print(sum_of(counts))
    took = f", {seconds:.1f} s, {counts.received / seconds:,.0f} rows/s" if seconds else ""
    if report.mode is ImportMode.REPLACE:
        out.print(f"{report.archived:,} archived: not in the file")
    what = f"import {report.id} {report.status}" if isinstance(report, ImportReport) else "dry run"
    out.print(f"[dim]{what}{took}[/dim]", soft_wrap=True)
    if isinstance(report, ImportReport) and report.undone_by is not None:
        said = f"[yellow]taken back:[/yellow] casebook tasks show {report.undone_by}"
        out.print(said, soft_wrap=True)
    elif isinstance(report, ImportReport) and report.error is not None:
        out.print(f"[red]stopped[/red] {plain(report.error.message)} ({report.error.code})")
        out.print(f"[dim]casebook import --resume {report.id} FILES[/dim]", soft_wrap=True)
    elif isinstance(report, ImportReport) and report.finished_at is None:
        out.print(f"[dim]{if_dead(report.id)}[/dim]", soft_wrap=True)
    if isinstance(report, ImportReport) and seconds is None and report.files:
        out.print(f"[dim]{_files(report)}[/dim]", soft_wrap=True)
    for note in report.notes:
        out.print(f"[yellow]note[/yellow] {plain(note)}")
    for reject in report.rejects:
        where = f"{reject.file}:{reject.line}"
        what = f"{reject.field}: {reject.message}" if reject.field else reject.message
        out.print(f"[red]rejected[/red] {plain(where)} {plain(what)} [dim]({reject.code})[/dim]")
    if counts.rejected > len(report.rejects):
        out.print(f"[dim]and {counts.rejected - len(report.rejects):,} more[/dim]")


def _files(report: ImportReport) -> str:
    """What it was read from; who imports just now knows."""
    more = report.file_count - len(report.files[:FILES])
    return f"from {plain(', '.join(report.files[:FILES]))}" + f" and {more:,} more" * (more > 0)


def sum_of(counts: ImportCounts) -> str:
    """What became of the rows: it adds up."""
    return (
        f"{counts.received:,} received = {counts.created:,} created + {counts.updated:,} updated"
        f" + {counts.unchanged:,} unchanged + {counts.rejected:,} rejected"
    )


def if_dead(import_id: UUID) -> str:
    """How to go on with an import of which only its client knows whether it still sends."""
    return f"where nobody sends it any more: casebook import --resume {import_id} FILES"


def say_rejects(written: "RejectsFile | None", *, json: bool = False) -> None:
    """Where the rejected rows are, if there are any."""
    if written is None or not written.count:
        return
    files = [file_name(file) for file in written.files]
    if json:
        say_json({"rejects": {"rows": written.count, "files": files}})
        return
    text = f"{written.count:,} rejected rows, ready to be mended and imported: {' '.join(files)}"
    err.print(plain(text), soft_wrap=True)


def say_kept(begun: list[UUID], option: str = "", *, json: bool = False) -> ImportReport | None:
    """After an import that did not end: what is kept, and how to go on. Its report so far."""
    if not begun:
        return None
    (import_id,) = begun
    report = _so_far(import_id)
    undone_by = None if report is None else report.undone_by
    resume = f"casebook import --resume {import_id}{option} FILES"
    if json:
        read = None if report is None else report.counts.received
        on = {"undone_by": undone_by} if undone_by else {"rows": read, "resume": resume}
        say_json({"kept": {"import": import_id} | on})
    elif undone_by is not None:
        err.print(f"\nTask {undone_by} took back what was stored.", soft_wrap=True)
    else:
        rows = (
            f"{report.counts.received:,} rows were read and are" if report else "What was stored is"
        )
        err.print(f"\n{rows} kept. To go on from the same files:")
        err.print(f"  {resume}", soft_wrap=True)
    return report


def _so_far(import_id: UUID) -> ImportReport | None:
    """Its report; None where that can't be had."""
    from actors import imports
    from pipelines.ask import ask_for

    async def conversation(client: Any, settings: Settings) -> ImportReport:
        request = GetImport(id=import_id, limit=0)
        timeout = settings.read_timeout
        return await ask_for(ImportReport, client, imports.report, request, timeout=timeout)

    try:
        return talk(conversation)
    except Failure:
        return None
