"""What an import has come to, for a person."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from commands.base import Failure, err, out, plain, talk
from contracts.imports import GetImport, ImportCheck, ImportCounts, ImportMode, ImportReport
from settings import Settings

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
    for note in report.notes:
        out.print(f"[yellow]note[/yellow] {plain(note)}")
    for reject in report.rejects:
        where = f"{reject.file}:{reject.line}"
        what = f"{reject.field}: {reject.message}" if reject.field else reject.message
        out.print(f"[red]rejected[/red] {plain(where)} {plain(what)} [dim]({reject.code})[/dim]")
    if counts.rejected > len(report.rejects):
        out.print(f"[dim]and {counts.rejected - len(report.rejects):,} more[/dim]")


def sum_of(counts: ImportCounts) -> str:
    """What became of the rows: it adds up."""
    return (
        f"{counts.received:,} received = {counts.created:,} created + {counts.updated:,} updated"
        f" + {counts.unchanged:,} unchanged + {counts.rejected:,} rejected"
    )


def if_dead(import_id: UUID) -> str:
    """How to go on with an import of which only its client knows whether it still sends."""
    return f"where nobody sends it any more: casebook import --resume {import_id} FILES"


def say_rejects(written: "RejectsFile | None") -> None:
    """Where the rejected rows are, if there are any."""
    if written is not None and written.count:
        files = " ".join(str(file) for file in written.files)
        text = f"{written.count:,} rejected rows, ready to be mended and imported: {files}"
        err.print(plain(text), soft_wrap=True)


def say_kept(begun: list[UUID], option: str = "") -> ImportReport | None:
    """After an import that did not end: what is kept, and how to go on. Its report so far."""
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
        if report.undone_by is not None:
            err.print(f"\nTask {report.undone_by} took back what was stored.", soft_wrap=True)
            return report
        rows = f"{report.counts.received:,} rows were read and are kept."
    except Failure:
        rows = "What was stored is kept."
    err.print(f"\n{rows} To go on from the same files:")
    err.print(f"  casebook import --resume {import_id}{option} FILES", soft_wrap=True)
    return report
