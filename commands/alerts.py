"""What somebody has to know: alerts, and the error log."""

import functools
from typing import Any

import click
from rich.markup import escape

from commands.base import as_json, me, out, plain, print_json, talk
from commands.tables import Column, print_table
from commands.when import shown
from contracts.alerts import AcknowledgeAlert, Alert, Alerts, ListAlerts
from contracts.failures import FINGERPRINT, Failure, Failures, ListFailures, ResolveFailure
from settings import Settings

STYLES = {"firing": "red", "acknowledged": "yellow", "resolved": "green"}


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Those that are over too.")
@as_json
@click.pass_context
def alerts(context: click.Context, everything: bool, json_: bool) -> None:
    """What is wrong and somebody was told of; exit code 1 while something fires."""
    if context.invoked_subcommand is not None:
        return
    from actors.alerts import list_page

    request = ListAlerts(everything=everything)
    found = talk(functools.partial(_ask, Alerts, list_page, request))
    if json_:
        print_json(found)
    else:
        for one in found.alerts:
            _show_alert(one)
        if not found.alerts:
            out.print("nothing is wrong.")
    context.exit(1 if any(one.state == "firing" for one in found.alerts) else 0)


@alerts.command()
@click.argument("alert_id", metavar="ID", type=click.UUID)
@click.option("--note", default="", help="Shown to whoever looks at it.")
@as_json
def ack(alert_id: Any, note: str, json_: bool) -> None:
    """Say that you look after it.

    It is not told again, and resolves by itself.
    """
    from actors.alerts import acknowledge

    command = AcknowledgeAlert(id=alert_id, note=note, by=me())
    found = talk(functools.partial(_ask, Alert, acknowledge, command))
    print_json(found) if json_ else _show_alert(found)


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Those that were resolved too.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@as_json
@click.pass_context
def errors(context: click.Context, everything: bool, limit: int, json_: bool) -> None:
    """Unexpected errors, counted by what and where; the last seen first."""
    if context.invoked_subcommand is not None:
        return
    found = _errors(ListFailures(everything=everything, limit=limit))
    if json_:
        print_json(found)
        return
    if not found.errors:
        out.print("no errors.")
        return
    print_table(
        (
            Column("fingerprint"),
            Column("count", right=True),
            Column("last seen", spare=1),
            Column("error", text=True),
            Column("where", text=True),
            Column("in", spare=2),
        ),
        (_listed(one) for one in found.errors),
    )


@errors.command()
@click.argument("fingerprint")
@as_json
def show(fingerprint: str, json_: bool) -> None:
    """One of them, with the newest traceback."""
    found = _found(fingerprint)
    print_json(found) if json_ else _show_error(found)


@errors.command()
@click.argument("fingerprint")
@as_json
def resolve(fingerprint: str, json_: bool) -> None:
    """Put it aside; seen again, it is back."""
    from actors.errors import resolve

    is_whole = len(fingerprint) == FINGERPRINT
    whole = fingerprint if is_whole else _found(fingerprint).fingerprint

    async def conversation(client: Any, settings: Settings) -> Failure:
        command = ResolveFailure(fingerprint=whole, by=me())
        found: Failure = await _ask(Failure, resolve, command, client, settings)
        return found

    found = talk(conversation)
    print_json(found) if json_ else out.print(f"{found.fingerprint} is put aside.")


def _listed(one: Failure) -> tuple[str, ...]:
    name = plain(one.error.rpartition(".")[2])
    return (
        one.fingerprint,
        str(one.count),
        shown(one.last_seen),
        f"[dim]{name}[/dim]" if one.resolved_at else name,
        plain(one.place),
        plain(one.actor),
    )


def _found(beginning: str) -> Failure:
    """The error whose fingerprint begins so. Raises: ClickException for none or several."""
    errors = _errors(ListFailures(everything=True, limit=500)).errors
    fitting = [one for one in errors if one.fingerprint.startswith(beginning)]
    if len(fitting) != 1:
        what = f"{len(fitting)} errors begin with" if fitting else "no error"
        raise click.ClickException(f"{what} {beginning}")
    return fitting[0]


def _errors(request: ListFailures) -> Failures:
    from actors.errors import list_page

    found: Failures = talk(functools.partial(_ask, Failures, list_page, request))
    return found


async def _ask(reply: Any, operation: Any, request: Any, client: Any, settings: Settings) -> Any:
    from pipelines.ask import ask_for

    timeout = settings.read_timeout if operation.read else settings.write_timeout
    return await ask_for(reply, client, operation, request, timeout=timeout)


def _show_alert(one: Alert) -> None:
    style = STYLES[one.state]
    about = plain(f"{one.rule} {one.subject}".strip())
    out.print(f"[{style}]{one.state:12}[/{style}] {one.severity:8} {about}", soft_wrap=True)
    out.print(f"             {plain(one.message)}", soft_wrap=True)
    by = f", {one.acknowledged_by}: {one.note}" if one.acknowledged_by else ""
    line = f"since {shown(one.since)}{plain(by)}  {one.id}"
    out.print(f"             [dim]{line}[/dim]", soft_wrap=True)


def _show_error(one: Failure) -> None:
    out.print(f"{plain(one.error)}, {one.count} times, in {plain(one.actor)}")
    out.print(f"first {one.first_seen:%Y-%m-%d %H:%M:%S %Z}, last {one.last_seen:%H:%M:%S}")
    out.print(f"{one.category}, {one.severity}; operation {escape(one.operation_id)}")
    out.print(plain(one.traceback), soft_wrap=True)
